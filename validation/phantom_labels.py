"""Whether phantom labels come as often, and go together as much, as readers' labels do; and how those numbers were found.

* Frequencies of the noisy single-reader label: each of the 25 columns within 3 percentage points for each grade. Targets: severity counts
  of the RSNA 2024 training labels as published by participants (``lumbargrade.competition.COLUMN_PRIOR``).
* Correlations (Pearson, of grades 0, 1, 2, at each level): within 0.1 of the ranges over levels of the same labels: subarticular
  left-right 0.37-0.61, canal with the worse subarticular side 0.26-0.61, foramina left-right 0.19-0.41, foramen with subarticular of its
  side 0.30-0.40.
* The best score of the competition's metric that any model can reach: the true probabilities of the labels, tilted for the metric.

``--calibrate`` finds offsets and spreads of burdens by level, the scale of severities and the two cuts of each condition on the same
patients again and again, and writes them to ``src/lumbargrade/phantom/calibrated.py``. It is fitted on published frequencies alone.

    python validation/phantom_labels.py [--patients 2000] [--workers 2] [--calibrate ROUNDS]
"""

import argparse
import re
import sys
from dataclasses import asdict
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from population import Patient, over_patients, without_wear

from lumbargrade.competition import COLUMN_PRIOR, tilt
from lumbargrade.evaluate.metric import best_constant_score, score
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom import calibrated
from lumbargrade.phantom.calibrated import BURDENS, BurdenTable
from lumbargrade.phantom.person import AnatomyConfig
from lumbargrade.phantom.readers import NOISE, READER_OFFSET, SLIP
from lumbargrade.terms import FINDING_INDEX, FINDINGS, LEVELS, Condition, Finding, Laterality

_POINTS, _CORRELATION = 3.0, 0.1
_RANGES = {
    "subarticular left-right": (0.37, 0.61),
    "canal-subarticular": (0.26, 0.61),
    "foramen left-right": (0.19, 0.41),
    "foramen-subarticular": (0.30, 0.40),
}
_HEALTHY_QUANTILES = (0.5, 0.5, 0.5, 0.5, 0.3)
"""Which quantile of healthy sacs counts as open, L1/2 to L5/S1; without the exception no burden is small enough for L5/S1."""

_NORMAL = NormalDist()
_NAMES = {
    Condition.SPINAL_CANAL_STENOSIS: "canal",
    Condition.NEURAL_FORAMINAL_NARROWING: "foramen",
    Condition.SUBARTICULAR_STENOSIS: "recess",
}


def main() -> int:
    """Print the tables; 1 when a figure falls short."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2, help="at least 2 to calibrate")
    parser.add_argument("--calibrate", type=int, default=0, metavar="ROUNDS")
    options = parser.parse_args()
    if options.calibrate:
        calibrate(options.patients, options.workers, options.calibrate)
        return 0
    found = over_patients(_labels_of, options.patients, options.workers, AnatomyConfig())
    labels, probabilities = np.array([each[0] for each in found]), np.array([each[1] for each in found])
    is_good = _print_frequencies(labels) & _print_correlations(labels)
    _print_scores(labels, probabilities)
    return 0 if is_good else 1


def _labels_of(patient: Patient) -> tuple[list[int], list[tuple[float, float, float]]]:
    return [int(each.label) for each in patient.readings], [each.probabilities for each in patient.readings]


def _shares(labels: NDArray[np.int_]) -> FloatArray:
    """(25, 3) per cent of each grade."""
    return 100 * np.stack([(labels == grade).mean(0) for grade in range(3)], 1)


def _print_frequencies(labels: NDArray[np.int_]) -> bool:
    shares, targets = _shares(labels), 100 * COLUMN_PRIOR
    print("| finding | normal/mild, moderate, severe % | readers | largest difference | |\n|---|---|---|---|---|")  # noqa: T201
    good = np.abs(shares - targets).max(1) <= _POINTS
    for finding, share, target, is_good in zip(FINDINGS, shares, targets, good, strict=True):
        difference = np.abs(share - target).max()
        print(f"| {finding} | {_row(share)} | {_row(target)} | {difference:.1f} | {_mark(is_good)} |")  # noqa: T201
    return bool(good.all())


def _row(shares: FloatArray) -> str:
    return "/".join(f"{share:.1f}" for share in shares)


def _mark(is_good: bool) -> str:
    return "pass" if is_good else "FAIL"


def _columns(condition: Condition, side: Laterality | None) -> list[int]:
    return [FINDING_INDEX[Finding(condition, side, level)] for level in LEVELS]


def _print_correlations(labels: NDArray[np.int_]) -> bool:
    left, right = Laterality.LEFT, Laterality.RIGHT
    canal = labels[:, _columns(Condition.SPINAL_CANAL_STENOSIS, None)]
    recess = {side: labels[:, _columns(Condition.SUBARTICULAR_STENOSIS, side)] for side in (left, right)}
    foramen = {side: labels[:, _columns(Condition.NEURAL_FORAMINAL_NARROWING, side)] for side in (left, right)}
    pairs = {
        "subarticular left-right": (recess[left], recess[right]),
        "canal-subarticular": (canal, np.maximum(recess[left], recess[right])),
        "foramen left-right": (foramen[left], foramen[right]),
        "foramen-subarticular": (np.concatenate([foramen[left], foramen[right]]), np.concatenate([recess[left], recess[right]])),
    }
    print("\n| correlation | L1/2 to L5/S1 | readers, range over levels | |\n|---|---|---|---|")  # noqa: T201
    all_good = True
    for name, (first, second) in pairs.items():
        low, high = _RANGES[name]
        found = [float(np.corrcoef(first[:, row], second[:, row])[0, 1]) for row in range(len(LEVELS))]
        is_good = all(low - _CORRELATION <= each <= high + _CORRELATION for each in found)
        all_good &= is_good
        print(f"| {name} | {', '.join(f'{each:.2f}' for each in found)} | {low}-{high} | {_mark(is_good)} |")  # noqa: T201
    return all_good


def _print_scores(labels: NDArray[np.int_], probabilities: FloatArray) -> None:
    severities = np.ma.MaskedArray(labels.astype(np.int8))
    best, constant = score(severities, tilt(probabilities)), best_constant_score(severities)
    print("\n| score | canal | foramen | subarticular | any severe | total |\n|---|---|---|---|---|---|")  # noqa: T201
    for name, each in (("best possible", best), ("best constant", constant)):
        parts = [each.of(condition) for condition in Condition] + [each.any_severe_spinal, each.total]
        print(f"| {name} | {' | '.join(f'{part:.3f}' for part in parts)} |")  # noqa: T201


def calibrate(patients: int, workers: int, rounds: int) -> None:
    """Shift and stretch each level's burden until the frequencies of reader labels match; write what was found after every round."""
    _write_healthy(np.array(over_patients(_healthy_of, patients // 2, workers, AnatomyConfig())))
    burden = asdict(BURDENS)
    gains, last = np.full((len(_NAMES), len(LEVELS)), 1.4), np.full((len(_NAMES), len(LEVELS)), np.nan)
    for round_ in range(rounds):
        closures = np.array(over_patients(_closures_of, patients, workers, AnatomyConfig(burden=BurdenTable(**burden))))
        scale, cuts = {}, {}
        for row, (condition, name) in enumerate(_NAMES.items()):
            columns = np.array([[FINDING_INDEX[f] for f in FINDINGS if f.condition is condition and f.level is level] for level in LEVELS])
            values = np.moveaxis(closures[:, columns], 1, 0).reshape(len(LEVELS), -1)
            targets = COLUMN_PRIOR[columns].mean(1)
            mean, deviation = float(values.mean()), float(values.std())
            z = (values - mean) / deviation
            total = float(np.hypot(NOISE[condition], READER_OFFSET))
            chosen = _pooled_cuts(z, targets, total)
            gaps = _gaps(z, targets, chosen, total)
            differences = 100 * np.abs(_frequencies(z, chosen, total) - targets).max(1)
            print(f"round {round_}, {name}: largest difference by level {_row(differences)} points", flush=True)  # noqa: T201
            scale[condition], cuts[condition] = (round(mean, 4), round(deviation, 4)), tuple(round(cut, 3) for cut in chosen)
            if round_ < rounds - 1:
                shift = gaps @ (0.65, 0.35)
                remaining = np.nan_to_num(np.clip(shift / last[row], -0.5, 0.7), nan=0.0)  # a level that hardly moved is moved further
                gains[row] = np.clip(gains[row] / (1 - remaining), 0.7, 12.0)
                last[row] = shift
                _move(burden, name, gaps, gains[row])
    _write(burden, scale, cuts)


def _healthy_of(patient: Patient) -> list[float]:
    """(5,) what ``calibrated.HEALTHY_SAC_SHARE`` holds."""
    truth = without_wear(patient).truth
    return [each.measures["relative_sac_area"] for each in truth if each.finding.condition is Condition.SPINAL_CANAL_STENOSIS]


def _write_healthy(found: FloatArray) -> None:
    """Replace the shares of ``calibrated.py``; worker processes started later measure against them."""
    path = Path(calibrated.__file__)
    quantiles = zip(found.T, _HEALTHY_QUANTILES, strict=True)
    values = tuple(round(float(np.quantile(level, quantile)), 3) for level, quantile in quantiles)
    text = re.sub(r"(HEALTHY_SAC_SHARE: Levels =) .*", rf"\1 {values}", path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")


def _closures_of(patient: Patient) -> list[float]:
    return [each.measures["closure"] for each in patient.truth]


def _frequencies(z: FloatArray, cuts: tuple[float, ...], deviation: float) -> FloatArray:
    """(levels, 3) expected shares of reader labels, of (levels, n) severities; slips come from the mean of the neighbours."""
    above = np.array([[np.mean([_NORMAL.cdf((each - cut) / deviation) for each in row]) for cut in cuts] for row in z])
    own = np.stack([1 - above[:, 0], above[:, 0] - above[:, 1], above[:, 1]], 1)
    return np.asarray((1 - SLIP) * own + SLIP * own.mean(0))


def _pooled_cuts(z: FloatArray, targets: FloatArray, deviation: float) -> tuple[float, ...]:
    """The cuts that give the targets' mean over all levels, by bisection."""
    cuts = []
    sample = np.sort(z.ravel())
    sample = sample[:: max(len(sample) // 2000, 1)]
    for wanted in (1 - targets[:, 0].mean(), targets[:, 2].mean()):
        low, high = -4.0, 8.0
        for _ in range(30):
            middle = (low + high) / 2
            found = float(np.mean([_NORMAL.cdf((each - middle) / deviation) for each in sample]))
            low, high = (middle, high) if found > wanted else (low, middle)
        cuts.append(middle)
    return tuple(cuts)


def _gaps(z: FloatArray, targets: FloatArray, cuts: tuple[float, ...], deviation: float) -> FloatArray:
    """(levels, 2) how far each level's distribution must move at each cut, in its own standard deviations."""
    found = np.clip(_frequencies(z, cuts, deviation), 0.002, 0.998)
    wanted = np.clip(targets, 0.004, 0.996)
    reach = [[_NORMAL.inv_cdf(1 - w[0]) - _NORMAL.inv_cdf(1 - f[0]) for f, w in zip(found, wanted, strict=True)]]
    reach.append([_NORMAL.inv_cdf(w[2]) - _NORMAL.inv_cdf(f[2]) for f, w in zip(found, wanted, strict=True)])
    return np.array(reach).T


def _move(burden: dict[str, tuple[float, ...]], name: str, gaps: FloatArray, gains: FloatArray) -> None:
    """Shift offsets by the mean gap, weighted to the more frequent cut, and stretch spreads by what parts the two gaps."""
    offset, spread = np.array(burden[f"{name}_offset"]), np.array(burden[f"{name}_spread"])
    offset = offset + np.clip(gains * (gaps @ (0.65, 0.35)) * spread, -1.6, 1.6)
    spread = np.clip(spread * np.exp(np.clip(0.35 * (gaps[:, 1] - gaps[:, 0]), -0.25, 0.25)), 0.5, 3.0)
    burden[f"{name}_offset"], burden[f"{name}_spread"] = tuple(np.round(offset, 3).tolist()), tuple(np.round(spread, 3).tolist())


def _write(
    burden: dict[str, tuple[float, ...]], scale: dict[Condition, tuple[float, float]], cuts: dict[Condition, tuple[float, ...]]
) -> None:
    """Replace the numbers of ``calibrated.py``."""
    path = Path(calibrated.__file__)
    text = path.read_text(encoding="utf-8")
    for name, values in burden.items():
        text = re.sub(rf"    {name}=\(.*\),", f"    {name}={values},", text)
    for heading, table in (("SEVERITY_SCALE", scale), ("CUTS", cuts)):
        lines = "".join(f"    Condition.{condition.name}: {values},\n" for condition, values in table.items())
        text = re.sub(rf"{heading} = {{\n.*?}}\n", f"{heading} = {{\n{lines}}}\n", text, flags=re.DOTALL)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
