"""Several sagittal stacks into one set of levels in patient space."""

from collections.abc import Sequence

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.localise.anatomy import FORAMEN_OFFSET, SUBARTICULAR_OFFSET, LevelFrame, disc_normals
from lumbargrade.localise.stack_levels import Landmark, StackLevels
from lumbargrade.study import LevelLocation, Problem
from lumbargrade.terms import LEVELS, Laterality, Level

AGREEMENT_MM = 10.0
"""A third of the distance between levels: closer points are the same place seen twice."""
UNCERTAIN_MARGIN = 0.3
"""Below this the next best naming of the levels is nearly as good (1 - exp(-1/3): one unit of log heat)."""


def fuse_stacks(stacks: Sequence[StackLevels]) -> tuple[tuple[LevelLocation, ...], tuple[Problem, ...]]:
    """Level locations, cranial first, from one or more stacks, and what a reader should know about them."""
    trusted = max(stacks, key=lambda stack: stack.trust)
    agreeing = [stack for stack in stacks if stack is trusted or _agree(trusted, stack)]
    problems = [_disagreement(trusted, stack) for stack in stacks if stack not in agreeing]
    margin = max(stack.margin for stack in agreeing)
    if margin < UNCERTAIN_MARGIN:
        problems.append(Problem("levels_uncertain", "Naming the disc levels one higher or lower would fit the pictures nearly as well."))
    seen = [level for level in LEVELS if any(level in stack.levels for stack in agreeing)]
    canals = [_fused([(s.margin, s.levels[level].canal) for s in agreeing if level in s.levels]) for level in seen]
    canal_points = np.stack([canal.point_lps_mm for canal in canals])
    normals = disc_normals(canal_points, np.array([float(LEVELS.index(level)) for level in seen]))
    trust = margin if len(problems) == 0 else margin / 2
    locations = tuple(_location(level, agreeing, canal, normal, trust) for level, canal, normal in zip(seen, canals, normals, strict=True))
    return locations, (*problems, *_absent(seen))


def _location(level: Level, stacks: Sequence[StackLevels], canal: Landmark, normal: FloatArray, trust: float) -> LevelLocation:
    frame = LevelFrame.at(canal.point_lps_mm, normal)
    foramina = {}
    for side in Laterality:
        seen = [(s.margin, s.levels[level].foramina[side]) for s in stacks if level in s.levels and side in s.levels[level].foramina]
        foramina[side] = _fused(seen).point_lps_mm if seen else frame.place(FORAMEN_OFFSET, side)
    subarticular = {side: frame.place(SUBARTICULAR_OFFSET, side) for side in Laterality}
    return LevelLocation(level, canal.point_lps_mm, normal, foramina, subarticular, float(np.clip(canal.heat**0.5 * trust, 0.0, 1.0)))


def _fused(seen: Sequence[tuple[float, Landmark]]) -> Landmark:
    """The mean of (margin, landmark) pairs weighted by both, of those within ``AGREEMENT_MM`` of the best."""
    weights = [(1 + margin) * landmark.heat for margin, landmark in seen]
    best = seen[int(np.argmax(weights))][1]
    near = [
        (weight, landmark)
        for weight, (_, landmark) in zip(weights, seen, strict=True)
        if np.linalg.norm(landmark.point_lps_mm - best.point_lps_mm) <= AGREEMENT_MM
    ]
    total = sum(weight for weight, _ in near)
    point = np.sum([weight / total * landmark.point_lps_mm for weight, landmark in near], axis=0)
    return Landmark(np.asarray(point), max(landmark.heat for _, landmark in near))


def _agree(trusted: StackLevels, other: StackLevels) -> bool:
    """Whether half of the levels that both show, or more, lie at the same place; true where they share none."""
    distances = [
        float(np.linalg.norm(trusted.levels[level].canal.point_lps_mm - other.levels[level].canal.point_lps_mm))
        for level in trusted.levels
        if level in other.levels
    ]
    return not distances or float(np.median(distances)) <= AGREEMENT_MM


def _disagreement(trusted: StackLevels, other: StackLevels) -> Problem:
    return Problem(
        "levels_disagree", f"{other.series} names or places the disc levels differently from {trusted.series}, which was believed."
    )


def _absent(seen: Sequence[Level]) -> tuple[Problem, ...]:
    absent = [level.value for level in LEVELS if level not in seen]
    if not absent:
        return ()
    return (Problem("levels_not_found", f"Not found on any sagittal series, perhaps outside the field of view: {', '.join(absent)}."),)
