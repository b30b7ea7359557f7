"""The whole product on one page: read, locate, crop, grade, calibrate."""

import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from lumbargrade.dicom import StudySource, read_study
from lumbargrade.errors import InputError, LumbarGradeError, ModelFileError
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.grade import badly_framed, grade_sites, grade_study, off_site, sites_from_points
from lumbargrade.localise import JUNCTION, LOCALISER, Localisation, locate_levels
from lumbargrade.models import ModelBundle, Network, load_bundle
from lumbargrade.study import Grade, Problem, Study, StudyGrades
from lumbargrade.terms import Finding, SeriesRole

NOTHING_LOCATED = frozenset({"no_sagittal", "no_levels"})
"""Codes of the localiser's problems that say why no level at all was found."""
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class GradedStudy:
    """A study, its grades, and the seconds that reading and grading took."""

    study: Study
    grades: StudyGrades
    seconds: float


@dataclass(frozen=True, slots=True)
class StudyFailure:
    """Why one study of a batch has no result; ``str`` of it is one line."""

    folder: str
    reason: str

    def __str__(self) -> str:
        return f"{self.folder}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A model, ready to grade any number of studies."""

    bundle: ModelBundle

    @classmethod
    def load(cls, folder: Path | None = None, threads: int = 0) -> "Pipeline":
        """With the model in ``folder``, or the one that ships; ``threads`` for each network, 0 for as many as the machine has.

        Raises:
            ModelFileError: a file is missing or does not match its sha256.
        """
        return cls(load_bundle(folder, threads))

    def grade_source(
        self,
        source: StudySource,
        roles: Mapping[str, SeriesRole] | None = None,
        *,
        shift: int = 0,
        explain: bool = False,
        with_identifiers: bool = False,
    ) -> GradedStudy:
        """Read a study that ``find_studies`` found, and grade it; ``roles`` and ``with_identifiers`` as in ``read_study``, the rest as in
        ``grade``.

        Raises:
            DicomError: nothing usable in it.
            ModelFileError: the model lacks a part.
        """
        start = time.perf_counter()
        study = read_study(source, roles, with_identifiers=with_identifiers)
        return GradedStudy(study, self.grade(study, shift=shift, explain=explain), time.perf_counter() - start)

    def locate(self, study: Study, *, shift: int = 0) -> Localisation:
        """Locate the levels alone; ``shift`` as in ``grade``.

        Raises:
            ModelFileError: the model lacks a part.
        """
        junction = [member.networks[JUNCTION] for member in self.bundle.members if JUNCTION in member.contents]
        return locate_levels(study, self._localisers(), shift, junction)

    def grade(self, study: Study, *, shift: int = 0, explain: bool = False) -> StudyGrades:
        """Locate the levels, then grade the 25 findings there.

        ``shift`` overrules how the levels were counted: with +1 every disc is named one level lower, with -1 one higher. ``explain`` adds
        to each grade where in the picture it comes from, which takes about a second more.

        Raises:
            ModelFileError: the model lacks a part.
        """
        found = self.locate(study, shift=shift)
        grades = grade_study(study, found.locations, self.bundle.members, _why_nothing_located(found), found.moved_mm, explain=explain)
        return self._answer(found, grades, (*study.problems, *found.problems, *badly_framed(grades), *off_site(grades)))

    def grade_at(self, study: Study, points_lps_mm: Mapping[Finding, FloatArray]) -> StudyGrades:
        """Grade at given (3,) points instead; a canal without one is looked for midway between its level's subarticular points.

        Raises:
            ModelFileError: the model lacks a part.
        """
        grades = grade_sites(study, sites_from_points(points_lps_mm), self.bundle.members, lambda finding: "no coordinates were given")
        return self._answer(Localisation((), ()), grades, (*study.problems, *badly_framed(grades)))

    def _localisers(self) -> list[Network]:
        members = self.bundle.members
        if not members or any(LOCALISER not in member.contents for member in members):
            raise ModelFileError(f"the model {self.bundle.name!r} lacks the network {LOCALISER!r}; every member needs one")
        return [member.networks[LOCALISER] for member in members]

    def _answer(self, found: Localisation, grades: tuple[Grade, ...], problems: tuple[Problem, ...]) -> StudyGrades:
        bundle, once = self.bundle, tuple(dict.fromkeys(problems))
        return StudyGrades(found.locations, grades, once, bundle.name, bundle.version, bundle.sha256, found.numbering)


def _why_nothing_located(found: Localisation) -> str | None:
    """The localiser's refusal as a phrase that fits the reason of a finding; None where it found levels."""
    messages = [problem.message for problem in found.problems if problem.code in NOTHING_LOCATED]
    return messages[0][:1].lower() + messages[0][1:].rstrip(".") if messages else None


def for_each_study(sources: Iterable[StudySource], step: Callable[[StudySource], Result]) -> Iterator[Result | StudyFailure]:
    """The result of a step for every study, in order; a study that fails is a value and costs no other.

    Raises:
        ModelFileError: the model fails, and would fail on every study.
    """
    return (attempt(source.folder, partial(step, source)) for source in sources)


def attempt(folder: str, step: Callable[[], Result]) -> Result | StudyFailure:
    """The result of one study's step, or why there is none.

    Raises:
        LumbarGradeError: other than about the input.
    """
    try:
        return step()
    except InputError as error:
        return StudyFailure(folder, str(error).removeprefix(f"{folder}: "))
    except LumbarGradeError:
        raise
    except OSError as error:
        return StudyFailure(folder, f"{error.strerror or type(error).__name__}{f': {error.filename}' if error.filename else ''}")
    except Exception as error:  # a bug must not cost the other studies; its text may quote the patient, so it is not shown
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name} line {frame.lineno}"
        return StudyFailure(folder, f"internal error, {type(error).__name__} in {place}; this is a bug, please report it")
