"""Whether more of one cause ever lowers the severity that it should raise.

For each patient, level and cause, the cause goes through its range in steps while the rest of the anatomy stays as it is; the severity
z (in standard deviations of its condition) is measured on the finished geometry at each step. The figure is the largest fall from one step
to the next; the target is 1e-6, and it is reached only because areas are measured with soft edges and shapes are nested.

    python validation/phantom_monotone.py [--patients 4] [--steps 7] [--workers 2]
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lumbargrade.phantom.anatomy import Anatomy, sample_anatomy
from lumbargrade.phantom.measure import measure_level
from lumbargrade.phantom.numbering import LUMBAR_DISCS
from lumbargrade.phantom.person import AnatomyConfig
from lumbargrade.phantom.sdf import Geometry
from lumbargrade.phantom.skeleton import stand_up
from lumbargrade.side_by_side import run_side_by_side
from lumbargrade.terms import LEVELS, Condition, Finding, Laterality, Level

_TOLERANCE = 1e-6
_LEFT = 1
_CANAL, _FORAMEN, _RECESS = Condition.SPINAL_CANAL_STENOSIS, Condition.NEURAL_FORAMINAL_NARROWING, Condition.SUBARTICULAR_STENOSIS


def _with(values: NDArray[np.float64], place: tuple[int, ...] | int, value: float) -> NDArray[np.float64]:
    changed = values.copy()
    changed[place] = value
    return changed


def _bulging(anatomy: Anatomy, disc: int, value: float) -> Anatomy:
    return replace(anatomy, wear=replace(anatomy.wear, bulge=_with(anatomy.wear.bulge, disc, value)))


def _thick_flavum(anatomy: Anatomy, disc: int, value: float) -> Anatomy:
    flavum = _with(_with(anatomy.wear.flavum, (0, disc), value), (1, disc), value)
    return replace(anatomy, wear=replace(anatomy.wear, flavum=flavum))


def _grown_facet(anatomy: Anatomy, disc: int, value: float) -> Anatomy:
    return replace(anatomy, wear=replace(anatomy.wear, facet_hypertrophy=_with(anatomy.wear.facet_hypertrophy, (_LEFT, disc), value)))


def _foraminal_spur(anatomy: Anatomy, disc: int, value: float) -> Anatomy:
    return replace(anatomy, wear=replace(anatomy.wear, foraminal_spur=_with(anatomy.wear.foraminal_spur, (_LEFT, disc), value)))


def _low_disc(anatomy: Anatomy, disc: int, value: float) -> Anatomy:
    healthy = anatomy.wear.disc_height[disc] / (1 - anatomy.wear.height_loss[disc])
    height, loss = _with(anatomy.wear.disc_height, disc, healthy * (1 - value)), _with(anatomy.wear.height_loss, disc, value)
    return replace(anatomy, wear=replace(anatomy.wear, disc_height=height, height_loss=loss))


def _small_canal(anatomy: Anatomy, disc: int, value: float) -> Anatomy:
    depth = anatomy.bones.canal_depth.copy()
    depth[disc : disc + 2] *= 1 - value
    return replace(anatomy, bones=replace(anatomy.bones, canal_depth=depth))


@dataclass(frozen=True, slots=True)
class Cause:
    """A cause, the range it goes through, and what it should narrow on the left or in the middle."""

    name: str
    change: Callable[[Anatomy, int, float], Anatomy]
    least: float
    most: float
    narrows: tuple[Condition, ...]


CAUSES = (
    Cause("bulge, mm", _bulging, 0.2, 6.5, (_CANAL, _RECESS)),
    Cause("flavum, mm", _thick_flavum, 1.5, 8.5, (_CANAL, _RECESS)),
    Cause("facet growth", _grown_facet, 0.0, 4.0, (_RECESS,)),
    Cause("foraminal spur, mm", _foraminal_spur, 0.0, 5.0, (_FORAMEN,)),
    Cause("disc height lost, share", _low_disc, 0.0, 0.7, (_FORAMEN,)),
    Cause("canal depth lost, share", _small_canal, 0.0, 0.35, (_CANAL,)),
)


def main() -> int:
    """Print the table; 1 when a severity falls."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=4)
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    falls = {}
    for seed, cause, level, found in run_side_by_side(partial(sweep, steps=options.steps), tasks(options.patients), options.workers):
        for condition, severities in found.items():
            falls.setdefault((cause, condition), []).append((float(np.diff(severities).min()), severities[-1] - severities[0], seed, level))
    print("| cause | severity | rises by, least to most | largest fall | where | |\n|---|---|---|---|---|---|")  # noqa: T201
    is_good = True
    for (cause, condition), steps in sorted(falls.items(), key=lambda item: (item[0][0], item[0][1].value)):
        worst, _, seed, level = min(steps, key=lambda step: step[0])
        rises = [step[1] for step in steps]
        passed = worst >= -_TOLERANCE and max(rises) > 0.1
        is_good &= passed
        where = f"patient {seed}, {level.value}" if worst < 0 else ""
        row = f"{CAUSES[cause].name} | {condition.value} | {min(rises):.2f} to {max(rises):.2f} | {max(-worst, 0.0):.1e} | {where}"
        print(f"| {row} | {'pass' if passed else 'FAIL'} |")  # noqa: T201
    return 0 if is_good else 1


def tasks(patients: int) -> list[tuple[int, int, Level]]:
    """Every patient, cause and level."""
    return [(seed, cause, level) for seed in range(patients) for cause in range(len(CAUSES)) for level in LEVELS]


def sweep(task: tuple[int, int, Level], steps: int) -> tuple[int, int, Level, dict[Condition, list[float]]]:
    """The severities at a level while a cause goes through its range."""
    seed, number, level = task
    cause = CAUSES[number]
    anatomy = sample_anatomy(np.random.default_rng(seed), AnatomyConfig(mean_age=45))
    found: dict[Condition, list[float]] = {condition: [] for condition in cause.narrows}
    for value in np.linspace(cause.least, cause.most, steps).tolist():
        skeleton = stand_up(cause.change(anatomy, LUMBAR_DISCS[LEVELS.index(level)], value))
        truth = {each.finding: each for each in measure_level(skeleton, Geometry.of(skeleton), level)}
        for condition in cause.narrows:
            finding = Finding(condition, Laterality.LEFT if condition.is_paired else None, level)
            found[condition].append(truth[finding].z)
    return seed, number, level, found


if __name__ == "__main__":
    sys.exit(main())
