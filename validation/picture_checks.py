"""How well what pictures say tells another contrast, metal and motion: the bounds of ``localise/doubts.py``.

``python validation/picture_checks.py SPIDER_DIR [--patients 12] [--seed 9000]``

On SPIDER's real sagittal pictures as they are, with their contrasts named the wrong way round, and with motion planted in them; and on
synthetic patients as they are, with implants, with T1 in place of axial T2, and moving. Printed are, for each kind of series, how many were
warned of, and the range of what the warning rests on. Planted motion displaces the patient between interleaved segments of k-space.
"""

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
from tqdm import tqdm

from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.localise import LOCALISER, doubts
from lumbargrade.localise.locate import sagittal_views
from lumbargrade.phantom import acquisition, patient, variants
from lumbargrade.phantom.mr import Weighting
from lumbargrade.pipeline import Pipeline
from lumbargrade.spider import midsagittal_patients, read_midsagittal_pair, read_spider_patient, spider_patients
from lumbargrade.study import Instance, Stack, Study
from lumbargrade.terms import SeriesRole

SEGMENTS = (4, 6, 8)
MOTION_MM = (1.0, 2.0, 3.0)
"""Standard deviation of the displacements."""
OTHER_ROLE = {SeriesRole.SAGITTAL_T1: SeriesRole.SAGITTAL_T2, SeriesRole.SAGITTAL_T2: SeriesRole.SAGITTAL_T1}
Row = tuple[str, str, bool, float]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("spider", type=Path)
    parser.add_argument("--patients", type=int, default=12)
    parser.add_argument("--seed", type=int, default=9000)
    options = parser.parse_args()
    pipeline = Pipeline.load()
    found: dict[tuple[str, str], list[tuple[bool, float]]] = defaultdict(list)
    for name, study in tqdm([*spider_studies(options.spider), *synthetic_studies(options.seed, options.patients)], "judging", unit="study"):
        for series, code, is_warned, value in judged(study, pipeline):
            found[f"{name}: {series}", code].append((is_warned, value))
    print("| series | warning | warned | smallest | median | largest |\n|---|---|---|---|---|---|")  # noqa: T201
    for (series, code), each in found.items():
        values = [value for _, value in each]
        numbers = " | ".join(f"{value:.2f}" for value in (min(values), float(np.median(values)), max(values)))
        print(f"| {series} | {code} | {sum(warned for warned, _ in each)} of {len(each)} | {numbers} |")  # noqa: T201
    return 0


def judged(study: Study, pipeline: Pipeline) -> Iterator[Row]:
    """For each series and kind of warning: whether it is warned of, and what that rests on."""
    located = pipeline.locate(study)
    if len(located.locations) < doubts.FEWEST_LEVELS:
        return
    warned = {(problem.code, uid) for problem in located.problems for uid in _uids(study) if f" {uid} " in problem.message}
    networks = [member.networks[LOCALISER] for member in pipeline.bundle.members]
    for view in sagittal_views(study, networks)[0]:
        uid, role = view.series.series_instance_uid, view.series.role
        ratio = doubts.fluid_over_marrow(view.stack, located.locations)
        if ratio is not None:
            yield role.value, "another_contrast", ("another_contrast", uid) in warned, ratio
        if role is SeriesRole.SAGITTAL_T1:
            yield role.value, "metal", ("metal", uid) in warned, doubts.void_mm2(view.stack, located.locations)
        value = doubts.sagittal_unsteadiness(view.stack, located.locations)
        yield role.value, "unsteady_pictures", ("unsteady_pictures", uid) in warned, value
    for series in study.with_role(SeriesRole.AXIAL_T2):
        uid = series.series_instance_uid
        canals = [each.canal_lps_mm + located.moved_mm.get(uid, np.zeros(3)) for each in located.locations]
        squares = doubts.axial_squares(series, canals)
        ratio = doubts.fluid_over_surroundings(squares)
        if ratio is not None:
            yield series.role.value, "another_contrast", ("another_contrast", uid) in warned, ratio
            yield series.role.value, "unsteady_pictures", ("unsteady_pictures", uid) in warned, doubts.axial_unsteadiness(squares)


def _uids(study: Study) -> list[str]:
    return [series.series_instance_uid for series in study.series]


def spider_studies(folder: Path) -> Iterator[tuple[str, Study]]:
    """Real pictures, and the same with wrong names and with motion."""
    pairs = [read_midsagittal_pair(folder, each).study for each in midsagittal_patients(folder)]
    stacks = [read_spider_patient(folder, each).study for each in spider_patients(folder)]
    for name, studies in (("SPIDER, one slice", pairs), ("SPIDER, T2 SPACE", stacks)):
        for index, study in enumerate(studies):
            yield name, study
            yield f"{name}, named the wrong way round", with_other_roles(study)
            for millimetres in MOTION_MM:
                yield f"{name}, {millimetres:g} mm of motion", with_motion(study, millimetres, np.random.default_rng(index))


def synthetic_studies(seed: int, count: int) -> Iterator[tuple[str, Study]]:
    """Synthetic patients, and such as are rarely drawn; the constants of the phantom that make them rare are overruled here."""
    plain = patch.object(acquisition, "_sample_artefacts", lambda wide, rng: acquisition.Artefacts())
    rare = {
        "as they are": [],
        "pedicle screws": [patch.object(variants, "_SCREWS", 10.0)],
        "a cage": [patch.object(variants, "_CAGE", 10.0)],
        "T1 in place of axial T2": [patch.object(patient, "plan_study", with_axial_t1(patient.plan_study))],
    } | {f"{px:g} px of motion": [patch.object(acquisition, "_sample_artefacts", moving(px))] for px in (1.0, 2.0, 3.0)}
    for name, patches in rare.items():
        for index in range(count):
            with ExitStack() as stack:
                for each in [plain, *patches]:
                    stack.enter_context(each)
                yield f"synthetic, {name}", patient.make_patient(seed + index, patient.CONFIGS["physics"][0], workers=2).study


def moving(motion_px: float) -> Callable[[bool, np.random.Generator], acquisition.Artefacts]:
    return lambda wide, rng: acquisition.Artefacts(motion_px=motion_px)


def with_axial_t1(plan: Callable[..., tuple[patient.Scan, ...]]) -> Callable[..., tuple[patient.Scan, ...]]:
    def planned(*arguments: object) -> tuple[patient.Scan, ...]:
        scans = plan(*arguments)
        return tuple(
            replace(scan, weightings=(Weighting.T1,)) if scan.role(scan.weightings[0]) is SeriesRole.AXIAL_T2 else scan for scan in scans
        )

    return planned


def with_other_roles(study: Study) -> Study:
    return replace(study, series=tuple(replace(series, role=OTHER_ROLE[series.role]) for series in study.series))


def with_motion(study: Study, millimetres: float, random: np.random.Generator) -> Study:
    """As if the patient had moved while each series was taken, phase encoded along either axis."""

    def moved(instances: Sequence[Instance]) -> Stack:
        axis, segments = int(random.integers(2)), int(random.choice(SEGMENTS))
        shifts = random.normal(0, millimetres, (2, segments))
        return Stack(tuple(replace(each, pixels=displaced(each.pixels, each.affine, shifts, axis)) for each in instances))

    changed = (replace(series, stacks=tuple(moved(stack.instances) for stack in series.stacks)) for series in study.series)
    return replace(study, series=tuple(changed))


def displaced(picture: np.ndarray, affine: SliceAffine, shifts_mm: np.ndarray, axis: int) -> np.ndarray:
    """(rows, columns) of a picture whose interleaved lines of k-space, along ``axis``, saw the patient displaced by (2, n)."""
    rows, columns = (np.fft.fftfreq(count) for count in picture.shape)
    segment = np.arange(picture.shape[axis]) % shifts_mm.shape[1]
    down, across = shifts_mm[0, segment] / affine.row_spacing_mm, shifts_mm[1, segment] / affine.column_spacing_mm
    if axis == 0:
        down, across = down[:, None], across[:, None]
    turned = np.exp(-2j * np.pi * (down * rows[:, None] + across * columns[None]))
    return np.abs(np.fft.ifft2(np.fft.fft2(picture) * turned)).clip(0, picture.max()).astype(np.float32)


if __name__ == "__main__":
    raise SystemExit(main())
