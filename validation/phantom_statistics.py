"""Whether phantom patients are as large, as degenerated and as aged as published patients: morphometry, Pfirrmann grades, sac against age.

Lengths are read off the finished geometry as a reader would: along lines through the distance fields, in the frame of a vertebra or disc.

* Vertebrae: Panjabi et al. 1992 (Spine 17:299), for an adult of 1.70 m, both sexes; spread between subjects 6 to 8 %, canal 1.8 to 3.1 mm.
* Discs, anterior, middle, posterior height: MRI of 106 people (means at L1/2, L4/5, L5/S1; other levels interpolated), spread 1.8, 1.6,
  1.4 mm.
* Dural sac at the disc, open levels (graded normal/mild, Pfirrmann I to III): 72 controls, and tapering to L5/S1; spread 10 %.
* Flavum: PMC4404540 (n = 200) and L2/3 of FM.a2021.0120.
* Normal canal, recess, foramen (levels graded normal/mild): ranges of table 1.2, which are reading conventions, not means.
* Pfirrmann grades and what goes with them: 218 patients of SPIDER (CC BY 4.0, Zenodo 10159290). Within 5 points, correlations within 0.1.
* Sac area of the seventies relative to the twenties: n = 629; its interval is not known to us, so 6 points are allowed, 10 at L5/S1, where
  no change was found. Both ages are read off a straight line through all patients; the interval of 200 bootstrap samples is given.

    python validation/phantom_statistics.py [--patients 2000] [--workers 2]
"""

import argparse
import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from population import Patient, over_patients

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.degeneration import BULGING_MM, NARROWED_SHARE
from lumbargrade.phantom.numbering import LUMBAR_DISCS, S1, VERTEBRAE
from lumbargrade.phantom.person import AnatomyConfig
from lumbargrade.phantom.pfirrmann import PFIRRMANN_SHARES
from lumbargrade.phantom.sdf import distances
from lumbargrade.phantom.shapes.columns import ARCH, BODY, FLAVUM
from lumbargrade.terms import LEVELS, Condition, Laterality, Severity

_STEP_MM = 0.25
_T12 = VERTEBRAE.index("T12")
_NONE = float("nan")


@dataclass(frozen=True, slots=True)
class Target:
    """Published means, T12 to S1 or T12/L1 to L5/S1, NaN where there is none, and the spread: a share of the mean, or millimetres."""

    means: tuple[float, ...]
    share: float = 0.0
    spread_mm: tuple[float, ...] = (0.0,)

    def spread(self, row: int) -> float:
        return self.share * self.means[row] or self.spread_mm[min(row, len(self.spread_mm) - 1)]


OF_VERTEBRAE = {
    "upper endplate width": Target((39, 41.2, 42.6, 44.1, 46.6, 47.3, 50), 0.08),
    "lower endplate width": Target((42, 43.3, 45.5, 48.0, 49.5, 49.4, _NONE), 0.08),
    "upper endplate depth": Target((33, 34.1, 34.6, 35.2, 35.5, 34.7, 32), 0.08),
    "posterior body height": Target((23, 23.8, 24.3, 23.8, 24.1, 22.9, 25), 0.06),
    "anterior body height": Target((22.5, 24, 25, 25.5, 26, 29, 30), 0.06),
    "canal width": Target((22.2, 23.7, 23.8, 24.3, 25.4, 27.5, 31), 0, (1.8, 1.8, 1.8, 2.0, 2.3, 3.1, 3.1)),
    "canal depth": Target((18, 18.5, 17.5, 16.75, 17, 16.75, 14.5), 0, (1.8, 1.8, 1.8, 2.0, 2.0, 2.2, 2.2)),
    "pedicle width": Target((8, 8.0, 8.3, 10, 13, 17, _NONE), 0, (2.0,)),
    "pedicle height": Target((15.5, 15.5, 15, 14.5, 14.5, 14, _NONE), 0, (1.5,)),
    "transverse process span": Target((_NONE, 71, 83.1, 92.7, 89.8, 94.8, _NONE), 0, (7.0,)),
}
OF_DISCS = {
    "anterior disc height": Target((6, 6.9, 8.8, 10.5, 12.3, 13.6), 0, (1.8,)),
    "middle disc height": Target((6.5, 7.9, 9.4, 10.9, 12.0, 11.1), 0, (1.6,)),
    "posterior disc height": Target((4.8, 5.5, 6.4, 7.3, 8.1, 6.9), 0, (1.4,)),
    "ligamentum flavum": Target((_NONE, _NONE, 3.2, 3.4, 3.8, 3.7), 0, (_NONE, _NONE, 0.3, 0.95, 1.15, 1.2)),
    "open sac depth": Target((_NONE, 14.6, 14.6, 14.4, 14.0, 12.5), 0.10),
    "open sac width": Target((_NONE, 19.0, 19.0, 19.0, 18.5, 16.5), 0.10),
}
NORMAL_RANGES = {
    "sac_area_mm2": (Condition.SPINAL_CANAL_STENOSIS, ((130, 230),) * 4 + ((100, 200),)),
    "recess_gap_mm": (Condition.SUBARTICULAR_STENOSIS, ((5, 12),) * 5),
    "foramen_height_mm": (Condition.NEURAL_FORAMINAL_NARROWING, ((18, 22),) * 4 + ((14, 18),)),
    "foramen_width_mm": (Condition.NEURAL_FORAMINAL_NARROWING, ((4, 12),) * 5),
    "foramen_area_mm2": (Condition.NEURAL_FORAMINAL_NARROWING, ((110, 160),) * 4 + ((80, 130),)),
}
GIVEN_PFIRRMANN = {
    "bulging": (13, 20, 61, 78, 88),
    "narrowing": (7, 6, 33, 64, 99),
    "herniation": (0.7, 0.3, 4.5, 7.6, 15),
    "listhesis": (0.3, 0.6, 1.2, 4.5, 11),
}
LISTHESIS_OF_LEVEL = (0.3, 1.4, 1.8, 5.0, 8.7)
RANK_CORRELATIONS = {(0, 1): 0.75, (1, 2): 0.70, (2, 3): 0.56, (3, 4): 0.44, (0, 4): 0.42}
SAC_OF_SEVENTIES = ((86.0, 6.0), (84.6, 6.0), (80.3, 6.0), (79.9, 6.0), (100.0, 10.0))


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One patient: lengths by name, (7,) vertebrae or (6,) discs; by lumbar disc grade, what goes with it, and sac area."""

    age: float
    vertebrae: dict[str, FloatArray]
    discs: dict[str, FloatArray]
    pfirrmann: NDArray[np.int64]
    signs: dict[str, NDArray[np.bool_]]
    sac_area: FloatArray
    normal: dict[str, FloatArray]


def measure(patient: Patient) -> Measured:
    """Read everything off one patient."""
    lumbar, wear = slice(LUMBAR_DISCS[0], LUMBAR_DISCS[-1] + 1), patient.anatomy.wear
    herniated = np.array([any(lesion.half_width > 0 for lesion in lesions[4:]) for lesions in wear.focal])
    signs = {
        "bulging": wear.bulge >= BULGING_MM,
        "narrowing": wear.height_loss >= NARROWED_SHARE,
        "herniation": herniated,
        "listhesis": wear.slip > 0,
    }
    return Measured(
        patient.anatomy.person.age_years,
        {name: np.array(values) for name, values in _vertebrae(patient).items()},
        {name: np.array(values) for name, values in _discs(patient).items()},
        wear.pfirrmann[lumbar],
        {name: values[lumbar] for name, values in signs.items()},
        np.array([each.measures["sac_area_mm2"] for each in patient.truth if each.finding.condition is Condition.SPINAL_CANAL_STENOSIS]),
        {name: _normal(patient, name, condition) for name, (condition, _) in NORMAL_RANGES.items()},
    )


def _normal(patient: Patient, name: str, condition: Condition) -> FloatArray:
    """(5,) a measurement where the site is graded normal/mild, NaN elsewhere; of sides, the left."""
    chosen = [each for each in patient.truth if each.finding.condition is condition and each.finding.laterality is not Laterality.RIGHT]
    return np.array([each.measures[name] if each.severity is Severity.NORMAL_MILD else _NONE for each in chosen])


def _line(patient: Patient, origin: FloatArray, axes: FloatArray, start: tuple[float, float, float], axis: int, reach: float) -> FloatArray:
    """(n, fields) distances along a line of a frame, centred on ``start``."""
    local = np.tile(np.array(start, np.float64), (int(2 * reach / _STEP_MM) + 1, 1))
    local[:, axis] += np.linspace(-reach, reach, len(local))
    return distances(patient.geometry, origin + local @ axes).astype(np.float64)


def _run(holds: NDArray[np.bool_], start: int | None = None) -> float:
    """Length of the unbroken stretch around ``start``, by default the middle; 0 where the condition does not hold there."""
    middle = len(holds) // 2 if start is None else start
    if not holds[middle]:
        return 0.0
    after = np.append(np.flatnonzero(~holds[middle:]), len(holds) - middle)[0]
    before = np.append(np.flatnonzero(~holds[middle::-1]), middle + 1)[0]
    return float(after + before - 1) * _STEP_MM


def _extent(holds: NDArray[np.bool_]) -> float:
    """From the first place where the condition holds to the last: endplates and walls are hollow between their rims."""
    places = np.flatnonzero(holds)
    return float(places[-1] - places[0]) * _STEP_MM if len(places) else 0.0


def _vertebrae(patient: Patient) -> dict[str, list[float]]:
    bones = patient.anatomy.bones
    found: dict[str, list[float]] = {name: [] for name in OF_VERTEBRAE}
    for vertebra in range(_T12, LUMBAR_DISCS[-1] + 2):
        frame = patient.skeleton.vertebra_origin[vertebra], patient.skeleton.vertebra_axes[vertebra]
        half, back = bones.body_height[vertebra] / 2, bones.body_depth[vertebra] / 2
        half_canal, depth = bones.canal_width[vertebra] / 2, bones.canal_depth[vertebra]
        pedicle = half_canal + bones.pedicle_width[vertebra] / 2
        for name, z in (("upper endplate width", half - 2), ("lower endplate width", 2 - half)):
            found[name].append(_extent(_line(patient, *frame, (0, 0, z), 0, 40)[:, BODY] < 0))
        found["upper endplate depth"].append(_extent(_line(patient, *frame, (0, 0, half - 2.5), 1, 30)[:, BODY] < 0))
        narrowing = float(bones.body_taper[vertebra]) if vertebra == S1 else 0.0
        for name, share in (("posterior body height", 0.8), ("anterior body height", -0.8)):
            lean = float(np.tan(bones.body_wedge[vertebra] / 2))
            found[name].append(_wall_height(patient, *frame, share * back, narrowing, half - lean * share * back))
        wall = back * (0.86 if vertebra == S1 else 1.0)
        found["canal width"].append(_run(_line(patient, *frame, (0, wall, 0.32 * half), 0, 25)[:, ARCH] > 0))
        behind = _line(patient, *frame, (0, back + 0.5 * depth, -0.1 * half), 1, 16)
        found["canal depth"].append(_run(np.minimum(behind[:, BODY], behind[:, ARCH]) > 0))
        for name, axis in (("pedicle width", 0), ("pedicle height", 2)):  # of its isthmus, which the transverse process leaves free
            cuts = [_line(patient, *frame, (pedicle - 0.5 * (1 - y), back + y, 0.32 * half), axis, 16)[:, ARCH] < 0 for y in (-4, -2, 0)]
            found[name].append(min(_run(cut) for cut in cuts[1 if axis else 0 :]))
        found["transverse process span"].append(_process_span(patient, *frame, back + 0.5 * depth))
    return found


def _wall_height(patient: Patient, origin: FloatArray, axes: FloatArray, y: float, narrowing: float, half: float) -> float:
    """Along a wall, which in S1 leans inward on its way down by a share of its depth."""
    z = np.arange(-half - 0.75, half + 0.75, _STEP_MM)
    local = np.stack([np.zeros(len(z)), y * (1 + narrowing * (np.clip(z / (2 * half), -0.5, 0.5) - 0.5)), z], 1)
    return _extent(distances(patient.geometry, origin + local @ axes)[:, BODY] < 0)


def _process_span(patient: Patient, origin: FloatArray, axes: FloatArray, middle: float) -> float:
    """From the tip of one transverse process to the other's, on a grid of 1 mm; a rib that passes farther out is no part of it."""
    x, y, z = np.meshgrid(np.arange(24.0, 62.0), np.arange(middle - 8, middle + 22, 2), np.arange(0.0, 9.0, 2), indexing="ij")
    tips = []
    for sign in (-1, 1):
        local = np.stack([sign * x, y, z], -1).reshape(-1, 3)
        inside = distances(patient.geometry, origin + local @ axes)[:, ARCH].reshape(x.shape) < 0
        tips.append(23.0 + float(np.append(np.flatnonzero(~inside.any((1, 2))), len(inside)).min()))
    return sum(tips)


def _discs(patient: Patient) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in OF_DISCS}
    wear = patient.anatomy.wear
    truth = {each.finding.level: each for each in patient.truth if each.finding.condition is Condition.SPINAL_CANAL_STENOSIS}
    for disc in range(_T12, LUMBAR_DISCS[-1] + 1):
        frame, back = (patient.skeleton.disc_origin[disc], patient.skeleton.disc_axes[disc]), float(patient.skeleton.disc_depth[disc])
        middle = float(patient.anatomy.bones.disc_overhang[disc])  # of the endplates, in the disc's frame
        for name, share in (("anterior disc height", -0.75), ("middle disc height", 0.0), ("posterior disc height", 0.75)):
            found[name].append(_run(_line(patient, *frame, (0, middle + share * (back - middle), 0), 2, 14)[:, BODY] > 0))
        found["ligamentum flavum"].append(_flavum(patient, disc, back))
        canal = truth.get(LEVELS[disc - LUMBAR_DISCS[0]]) if disc >= LUMBAR_DISCS[0] else None
        is_open = canal is not None and canal.severity is Severity.NORMAL_MILD and wear.pfirrmann[disc] <= 3
        for name, key in (("open sac depth", "sac_depth_mm"), ("open sac width", "sac_width_mm")):
            found[name].append(canal.measures[key] if canal is not None and is_open else _NONE)
    return found


def _flavum(patient: Patient, disc: int, back: float) -> float:
    """Thickness of the left leaf half way between its ends, across it, where no bone covers it."""
    bones = patient.anatomy.bones
    half_canal, depth = bones.canal_width[disc : disc + 2].mean() / 2, bones.canal_depth[disc : disc + 2].mean()
    frame = patient.skeleton.disc_origin[disc], patient.skeleton.disc_axes[disc]
    line = _line(patient, *frame, (half_canal * 0.5, back + 0.75 * depth, 0), 1, 12)
    slope = 0.48 * depth / half_canal
    return float(((line[:, FLAVUM] < 0) & (line[:, ARCH] > 0)).sum()) * _STEP_MM / float(np.hypot(1, slope))


def main() -> int:
    """Print the tables; 1 when a figure falls short."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    found = over_patients(measure, options.patients, options.workers, AnatomyConfig())
    print("| quantity | T12 or T12/L1 and on: mean (target, spread) | |\n|---|---|---|")  # noqa: T201
    passed = [_print_lengths(name, target, [each.vertebrae[name] for each in found]) for name, target in OF_VERTEBRAE.items()]
    passed += [_print_lengths(name, target, [each.discs[name] for each in found]) for name, target in OF_DISCS.items()]
    passed += [_print_ranges(name, ranges, [each.normal[name] for each in found]) for name, (_, ranges) in NORMAL_RANGES.items()]
    passed += [_print_grades(found), _print_signs(found), _print_correlations(found), _print_ageing(found)]
    return 0 if all(passed) else 1


def _print_lengths(name: str, target: Target, values: list[FloatArray]) -> bool:
    means = np.nanmean(np.array(values), 0)
    cells, good = [], []
    for row, mean in enumerate(means.tolist()):
        if np.isfinite(target.means[row]):
            good.append(abs(mean - target.means[row]) <= target.spread(row))
            cells.append(
                f"{'' if good[-1] else '**'}{mean:.1f}{'' if good[-1] else '**'} ({target.means[row]:g}, {target.spread(row):.1f})"
            )
    print(f"| {name}, mm | {', '.join(cells)} | {_mark(all(good))} |")  # noqa: T201
    return all(good)


def _print_ranges(name: str, ranges: tuple[tuple[float, float], ...], values: list[FloatArray]) -> bool:
    means = np.nanmean(np.array(values), 0).tolist()
    good = all(low <= mean <= high for mean, (low, high) in zip(means, ranges, strict=True))
    cells = ", ".join(f"{mean:.1f} ({low:g}-{high:g})" for mean, (low, high) in zip(means, ranges, strict=True))
    print(f"| normal {name} | {cells} | {_mark(good)} |")  # noqa: T201
    return good


def _mark(is_good: bool) -> str:
    return "pass" if is_good else "FAIL"


def _print_grades(found: list[Measured]) -> bool:
    grades, all_good = np.array([each.pfirrmann for each in found]), True
    print("\n| Pfirrmann I to V, % | phantom | SPIDER | |\n|---|---|---|---|")  # noqa: T201
    for row, (level, target) in enumerate(zip(LEVELS, PFIRRMANN_SHARES, strict=True)):
        shares = [100 * float((grades[:, row] == grade).mean()) for grade in range(1, 6)]
        good = max(abs(share - 100 * each) for share, each in zip(shares, target, strict=True)) <= 5
        all_good &= good
        cells = "/".join(f"{share:.0f}" for share in shares), "/".join(f"{100 * each:.0f}" for each in target)
        print(f"| {level.value} | {cells[0]} | {cells[1]} | {_mark(good)} |")  # noqa: T201
    return all_good


def _print_signs(found: list[Measured]) -> bool:
    grades, all_good = np.array([each.pfirrmann for each in found]), True
    print("\n| given Pfirrmann I to V, % | phantom | SPIDER | |\n|---|---|---|---|")  # noqa: T201
    for name, target in GIVEN_PFIRRMANN.items():
        held = np.array([each.signs[name] for each in found])
        shares = [100 * float(held[grades == grade].mean()) for grade in range(1, 6)]
        allowed = 5.0 if name != "bulging" else 12.0
        good = max(abs(share - each) for share, each in zip(shares, target, strict=True)) <= allowed
        all_good &= good
        print(f"| {name} | {'/'.join(f'{share:.1f}' for share in shares)} | {'/'.join(map(str, target))} | {_mark(good)} |")  # noqa: T201
    slips = 100 * np.array([each.signs["listhesis"] for each in found]).mean(0)
    good = bool(np.abs(slips - LISTHESIS_OF_LEVEL).max() <= 1.5)
    print(f"| listhesis, L1/2 to L5/S1 | {'/'.join(f'{each:.1f}' for each in slips)} | {LISTHESIS_OF_LEVEL} | {_mark(good)} |")  # noqa: T201
    return all_good and good


def _ranks(values: NDArray[np.int64]) -> FloatArray:
    """Mean rank of each grade."""
    counts = np.bincount(values, minlength=6)
    return np.asarray((np.cumsum(counts) - counts / 2)[values])


def _print_correlations(found: list[Measured]) -> bool:
    grades, all_good = np.array([each.pfirrmann for each in found]), True
    print("\n| rank correlation of Pfirrmann grades | phantom | SPIDER | |\n|---|---|---|---|")  # noqa: T201
    for (first, second), target in RANK_CORRELATIONS.items():
        value = float(np.corrcoef(_ranks(grades[:, first]), _ranks(grades[:, second]))[0, 1])
        all_good &= abs(value - target) <= 0.1
        print(f"| {LEVELS[first].value}, {LEVELS[second].value} | {value:.2f} | {target} | {_mark(abs(value - target) <= 0.1)} |")  # noqa: T201
    return all_good


def _print_ageing(found: list[Measured]) -> bool:
    ages, areas, all_good = np.array([each.age for each in found]), np.array([each.sac_area for each in found]), True
    print("\n| sac area at 75 relative to 25 years, % | phantom | published | |\n|---|---|---|---|")  # noqa: T201
    for row, (target, allowed) in enumerate(SAC_OF_SEVENTIES):
        share = _of_seventies(ages, areas[:, row])
        picks = np.random.default_rng(0).integers(len(ages), size=(200, len(ages)))
        low, high = np.percentile([_of_seventies(ages[pick], areas[pick, row]) for pick in picks], (2.5, 97.5)).tolist()
        all_good &= abs(share - target) <= allowed
        cells = f"{share:.1f} ({low:.1f} to {high:.1f}) | {target} +- {allowed}"
        print(f"| {LEVELS[row].value} | {cells} | {_mark(abs(share - target) <= allowed)} |")  # noqa: T201
    return all_good


def _of_seventies(ages: FloatArray, areas: FloatArray) -> float:
    """Per cent of the area at 25 years that is left at 75."""
    slope, start = np.polyfit(ages, areas, 1)
    return 100 * float((start + 75 * slope) / (start + 25 * slope))


if __name__ == "__main__":
    sys.exit(main())
