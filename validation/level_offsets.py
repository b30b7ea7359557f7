"""Where foramina, subarticular zones and disc margins lie relative to a level's canal point: the medians that ``localise.anatomy`` holds.

``python validation/level_offsets.py [--patients N]``
"""

import argparse

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.localise.anatomy import FORAMEN_OFFSETS, SUBARTICULAR_OFFSETS, LevelFrame, Offset
from lumbargrade.phantom.anatomy import sample_anatomy
from lumbargrade.phantom.measure import FindingTruth, measure_geometry
from lumbargrade.phantom.numbering import LUMBAR_DISCS
from lumbargrade.phantom.person import AnatomyConfig
from lumbargrade.phantom.sdf import Geometry
from lumbargrade.phantom.skeleton import Skeleton, stand_up
from lumbargrade.terms import LEVELS, Condition, Level

OFFSETS = {Condition.NEURAL_FORAMINAL_NARROWING: FORAMEN_OFFSETS, Condition.SUBARTICULAR_STENOSIS: SUBARTICULAR_OFFSETS}
TOLERANCE_MM = 0.3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=60)
    patients = parser.parse_args().patients
    sites: dict[tuple[Condition, Level], list[FloatArray]] = {}
    margins: dict[Level, list[FloatArray]] = {level: [] for level in LEVELS}
    for seed in range(patients):
        skeleton = stand_up(sample_anatomy(np.random.default_rng(seed), AnatomyConfig()))
        _collect(skeleton, measure_geometry(skeleton, Geometry.of(skeleton)), sites, margins)
    print(f"Medians of {patients} patients: millimetres away from the midline, to the front, to the head.\n")  # noqa: T201
    print("| level | site | found | held | |\n|---|---|---|---|---|")  # noqa: T201
    falls_short = False
    for (condition, level), places in sites.items():
        found, held = np.median(places, axis=0), _values(OFFSETS[condition][level])
        passes = bool(np.abs(found - held).max() <= TOLERANCE_MM)
        falls_short |= not passes
        print(f"| {level.value} | {condition.value} | {found.round(1)} | {held} | {'pass' if passes else 'falls short'} |")  # noqa: T201
    for level, places in margins.items():
        print(f"| {level.value} | disc margins, back and front | {np.median(places, axis=0).round(1)} | | |")  # noqa: T201
    return int(falls_short)


def _collect(
    skeleton: Skeleton,
    truths: tuple[FindingTruth, ...],
    sites: dict[tuple[Condition, Level], list[FloatArray]],
    margins: dict[Level, list[FloatArray]],
) -> None:
    canals = {truth.finding.level: truth.point_mm for truth in truths if truth.finding.condition is Condition.SPINAL_CANAL_STENOSIS}
    frames = {level: LevelFrame.at(canals[level], skeleton.disc_axes[disc, 2]) for level, disc in zip(LEVELS, LUMBAR_DISCS, strict=True)}
    for truth in truths:
        side, level = truth.finding.laterality, truth.finding.level
        if side is not None:
            frame, away = frames[level], truth.point_mm - canals[level]
            place = np.array([side.lps_sign * away @ frame.left, away @ frame.anterior, away @ frame.cranial])
            sites.setdefault((truth.finding.condition, level), []).append(place)
    for level, disc in zip(LEVELS, LUMBAR_DISCS, strict=True):
        depth = float(skeleton.disc_depth[disc])
        ends = np.stack([skeleton.to_body(disc, (0.0, sign * depth, 0.0)) for sign in (1.0, -1.0)])
        margins[level].append((ends - canals[level]) @ frames[level].anterior)


def _values(offset: Offset) -> FloatArray:
    return np.array([offset.lateral_mm, offset.anterior_mm, offset.cranial_mm])


if __name__ == "__main__":
    raise SystemExit(main())
