"""The SPIDER selection's patients, measured slice by slice, and its T1 and T2 pictures against each other."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.level_evaluation.measured import Anatomy, Locate, MeasuredPatient, Measurement, SiteDistance, locate_timed, naming_by_name
from lumbargrade.report.level_picture import LevelPicture
from lumbargrade.spider import DiscOnSlice, read_midsagittal_pair, read_spider_patient
from lumbargrade.terms import LEVELS, Level

ON_SLICE = "canal on each T2 SPACE slice"
PAIR = "canal, T1 against T2 picture"


def measure_spider_patient(folder: Path, patient: int, locate: Locate) -> Measurement:
    """One patient: a site is a lumbar level on a slice that shows its canal; its distance is taken on that slice.

    Raises:
        InputError: the patient cannot be read.
    """
    truth = read_spider_patient(folder, patient)
    timed = locate_timed(truth.study, locate)
    located = timed.canals
    true = {name: points.canal_lps_mm for name, points in truth.medians.items() if points.canal_lps_mm is not None}
    distances = tuple(
        SiteDistance(ON_SLICE, level, _on_slice_mm(disc, disc.points.canal_lps_mm, located))
        for level in LEVELS
        for disc in truth.discs
        if disc.name == level.value and disc.points.canal_lps_mm is not None
    )
    naming = naming_by_name(located, true)
    measured = MeasuredPatient(str(patient), Anatomy.UNKNOWN, distances, (), naming, timed.codes, timed.seconds)
    return Measurement(measured, LevelPicture.of(truth.study, true, located))


def measure_midsagittal_pair(folder: Path, patient: int, locate: Locate) -> Measurement:
    """One pair, each picture located by itself: a site is a level that SPIDER's readers graded, found only where both pictures name it.

    Raises:
        InputError: the pair cannot be read.
    """
    pair = read_midsagittal_pair(folder, patient)
    alone = [locate_timed(replace(pair.study, series=(series,)), locate) for series in pair.study.series]
    first, second = (timed.canals for timed in alone)
    distances = tuple(SiteDistance(PAIR, Level(name), _between_mm(first, second, name)) for name in pair.levels)
    codes = tuple(dict.fromkeys(code for timed in alone for code in timed.codes))
    seconds = max(timed.seconds for timed in alone)
    return Measurement(MeasuredPatient(f"{patient} T1/T2", Anatomy.UNKNOWN, distances, (), None, codes, seconds), None)


def _on_slice_mm(disc: DiscOnSlice, true_lps_mm: FloatArray, located: Mapping[str, FloatArray]) -> float | None:
    if disc.name not in located:
        return None
    offset = located[disc.name] - true_lps_mm
    normal = disc.instance.affine.normal
    return float(np.linalg.norm(offset - (offset @ normal) * normal))


def _between_mm(first: Mapping[str, FloatArray], second: Mapping[str, FloatArray], name: str) -> float | None:
    return float(np.linalg.norm(first[name] - second[name])) if name in first and name in second else None
