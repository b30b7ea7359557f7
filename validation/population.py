"""Many phantom patients without pictures, measured side by side: what the validation scripts of anatomy and labels share."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from lumbargrade.phantom.anatomy import Anatomy, sample_anatomy
from lumbargrade.phantom.degeneration import unworn
from lumbargrade.phantom.measure import FindingTruth, measure_geometry
from lumbargrade.phantom.person import AnatomyConfig
from lumbargrade.phantom.readers import Reading, read_study
from lumbargrade.phantom.sdf import Geometry
from lumbargrade.phantom.skeleton import Skeleton, stand_up
from lumbargrade.side_by_side import run_side_by_side

Result = TypeVar("Result")
_CHUNK = 20


@dataclass(frozen=True, slots=True, eq=False)
class Patient:
    """One patient's anatomy, geometry, truth and labels."""

    anatomy: Anatomy
    skeleton: Skeleton
    geometry: Geometry
    truth: tuple[FindingTruth, ...]
    readings: tuple[Reading, ...]


def make(seed: int, config: AnatomyConfig) -> Patient:
    """A patient as ``make_patient`` would draw them, but for rootlets and pictures."""
    anatomy_rng, reader_rng = (np.random.default_rng(sequence) for sequence in np.random.SeedSequence(seed).spawn(6)[::5])
    anatomy = sample_anatomy(anatomy_rng, config)
    skeleton = stand_up(anatomy)
    geometry = Geometry.of(skeleton)
    truth = measure_geometry(skeleton, geometry)
    return Patient(anatomy, skeleton, geometry, truth, read_study(truth, reader_rng))


def without_wear(patient: Patient) -> Patient:
    """The same bones with healthy discs, ligaments and joints."""
    anatomy = replace(patient.anatomy, wear=unworn(patient.anatomy.wear))
    skeleton = stand_up(anatomy)
    geometry = Geometry.of(skeleton)
    return replace(patient, anatomy=anatomy, skeleton=skeleton, geometry=geometry, truth=measure_geometry(skeleton, geometry))


def over_patients(function: Callable[[Patient], Result], patients: int, workers: int, config: AnatomyConfig) -> list[Result]:
    """The function's results for patients 0 to ``patients`` - 1; it must be a module's own, so that it can be sent to processes."""
    starts = list(range(0, patients, _CHUNK))
    chunks = [(start, min(start + _CHUNK, patients)) for start in starts]
    found = dict(run_side_by_side(partial(_of_chunk, function, config), chunks, workers))
    return [result for start in starts for result in found[start]]


def _of_chunk(function: Callable[[Patient], Result], config: AnatomyConfig, seeds: tuple[int, int]) -> tuple[int, list[Result]]:
    return seeds[0], [function(make(seed, config)) for seed in range(*seeds)]
