"""One input through the readers, as the command line uses them, and what they promise of any input."""

import json
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from fuzzing.inputs import FuzzInput, Kind
from lumbargrade.cli import main
from lumbargrade.competition import (
    Coverage,
    match_submission,
    read_coordinates,
    read_folds,
    read_labels,
    read_series_roles,
    read_solution,
    read_submission,
    read_submission_rows,
)
from lumbargrade.dicom import file_facts, find_studies, read_study
from lumbargrade.errors import DicomError, TableError
from lumbargrade.evaluate import best_constant_score, score
from lumbargrade.study import Study

LONGEST_LINE = 2000
"""Characters of a message beyond the input's own path: more is not one line to anybody."""
_EXIT_CODES = (0, 2, 3, 4, 5)
_INPUT = "in"


class BrokenPromise(Exception):
    """The readers did what no input may make them do, without an exception of their own."""


def attempt(made: FuzzInput, folder: Path) -> bool:
    """Give an input to the readers, and every so often to the commands; whether anything of it was read.

    Raises:
        BrokenPromise: a picture that is not finite, JSON that is none, a wrong exit code, an unclear message.
        Exception: whatever the readers raise beside their own errors.
    """
    place = folder / _INPUT
    made.write(place)
    path = place / "study.zip" if made.kind is Kind.ARCHIVE else place
    if made.kind is Kind.TABLES:
        is_read = _read_tables(place, made.spoilt)
        if made.is_for_commands:
            _command_tables(place)
        return is_read
    if made.is_for_commands:
        return _command("grade", path, "--output", folder / "out") in (0, 4)
    is_read = _read_images(path, made)
    if is_read and made.is_for_inspect:
        as_json = (made.index // 10) % 2
        out = _command_output(
            "inspect", path, *(["--json"] if as_json else []), *(["--include-identifiers"] if made.index % 4 == 1 else [])
        )
        for line in out.splitlines() if as_json else ():
            _checked_json(line)
    return is_read


def _read_images(path: Path, made: FuzzInput) -> bool:
    try:
        sources = find_studies(path)
    except DicomError as error:
        _check_message(str(error))
        return False
    is_read = False
    for source in sources:
        try:
            _check_study(read_study(source, with_identifiers=bool(made.index % 2)))
            is_read = True
        except DicomError as error:
            _check_message(str(error))
    if made.kind is not Kind.ARCHIVE:
        facts = file_facts(path / made.spoilt[0], decode=bool(made.index % 3))
        _check_message(facts.error or "")
    return is_read


def _check_study(study: Study) -> None:
    for series in study.series:
        for instance in series.instances:
            if instance.pixels.dtype != np.float32 or instance.pixels.ndim != 2:
                raise BrokenPromise(f"a picture of {instance.pixels.dtype} {instance.pixels.shape}")
            if not np.isfinite(instance.pixels).all():
                raise BrokenPromise("a picture with pixels that are not finite")
    for problem in (*study.problems, *(problem for series in study.series for problem in series.problems)):
        _check_message(problem.message)


def _check_message(message: str) -> None:
    if len(message) > LONGEST_LINE:
        raise BrokenPromise(f"a message of {len(message)} characters: {message[:200]}")


def _read_tables(folder: Path, names: Iterable[str]) -> bool:
    """Whether any of the readings of the spoilt tables succeeds."""
    are_read = [_is_read(reading) for name in names for reading in _readings(folder, name)]
    return any(are_read)


def _readings(folder: Path, name: str) -> list[Callable[[], Any]]:
    """What the commands read of a table."""
    path, truth, solution, submission = folder / name, folder / "train.csv", folder / "solution.csv", folder / "submission.csv"
    return {
        "train.csv": [lambda: read_labels(path), lambda: _score(truth, submission)],
        "train_label_coordinates.csv": [lambda: read_coordinates(path)],
        "train_series_descriptions.csv": [lambda: read_series_roles(path)],
        "test_series_descriptions.csv": [lambda: read_series_roles(path)],
        "sample_submission.csv": [lambda: read_submission_rows(path)],
        "submission.csv": [lambda: read_submission(path), lambda: _score(truth, submission), lambda: _score(solution, submission)],
        "solution.csv": [lambda: _score(solution, submission)],
        "oof.csv": [lambda: read_submission(path), lambda: read_folds(path, read_labels(truth).study_ids)],
    }[name]


def _is_read(reading: Callable[[], Any]) -> bool:
    try:
        reading()
    except TableError as error:
        _check_message(str(error))
        return False
    return True


def _score(truth: Path, submission: Path) -> None:
    solution, rows = read_solution(truth), read_submission_rows(submission)
    for coverage in Coverage:
        scored = match_submission(solution, rows, coverage)
        result = score(scored.solution.severities, scored.scores, scored.solution.sample_weights)
        constant = best_constant_score(scored.solution.severities, scored.solution.sample_weights)
        if not np.isfinite([result.total, constant.total]).all():
            raise BrokenPromise(f"a score of {result} where the constant has {constant}")


def _command_tables(folder: Path) -> None:
    truths, submission = (folder / "train.csv", folder / "solution.csv"), folder / "submission.csv"
    for truth in truths:
        _checked_json(_command_output("score", truth, submission, "--json", "--bootstrap", "3", "--subset"))
        _command_output("score", truth, submission, "--against", folder / "oof.csv")
        _checked_json(_command_output("evaluate", truth, submission, "--json", "--bootstrap", "3"))
        _command_output("evaluate", truth, submission, "--bootstrap", "0", "--subset")
    _checked_json(_command_output("check", folder, "--quick", "--workers", "1", "--json"))
    _command_output("check", folder, "--quick", "--workers", "1")


def _command(*arguments: str | Path) -> int:
    return _run(arguments)[0]


def _command_output(*arguments: str | Path) -> str:
    return _run(arguments)[1]


def _run(arguments: tuple[str | Path, ...]) -> tuple[int, str]:
    """Exit code and standard output of a command whose standard error is as it should be."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([*map(str, arguments), "--quiet"])
    lines = err.getvalue().splitlines()
    said = f"{arguments[0]} ended with {code} and said {err.getvalue()[:1000]!r}"
    if code not in _EXIT_CODES or bool(lines) != bool(code):
        _broken(said)
    for line in lines:
        if not line.startswith(f"lumbargrade {arguments[0]}: ") or "internal error" in line or len(line) > LONGEST_LINE:
            _broken(said)
    if code in (2, 3, 5) and len(lines) > 1 and arguments[0] != "grade":
        _broken(said)
    return code, out.getvalue()


def _broken(said: str) -> NoReturn:
    raise BrokenPromise(said)


def _checked_json(text: str) -> None:
    """Raises BrokenPromise where a text is there and no JSON, which knows neither NaN nor infinity."""
    try:
        json.loads(text or "{}", parse_constant=_no_number)
    except ValueError as error:
        raise BrokenPromise(f"no JSON ({error}): {text[:300]}") from error


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")
