"""Sites to grades: crops are cut and read, what the members say is calibrated and averaged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from lumbargrade.errors import ModelFileError
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.grade.calibration import Calibration, Opinion
from lumbargrade.grade.reading import Reading, mean_offsets_mm, read_crops
from lumbargrade.grade.saliency import find_saliency
from lumbargrade.grade.site import Site, sites_from_locations
from lumbargrade.grade.site_crops import SiteCrops, crop_sites
from lumbargrade.models import Member
from lumbargrade.study import Grade, LevelLocation, Measurement, Probabilities, Study
from lumbargrade.terms import FINDINGS, SEVERITIES, Condition, Finding, Severity


def grade_study(
    study: Study,
    locations: Sequence[LevelLocation],
    members: Sequence[Member],
    why_none: str | None = None,
    moved_mm: Mapping[str, FloatArray] | None = None,
    *,
    explain: bool = False,
) -> tuple[Grade, ...]:
    """The 25 grades in the order of ``FINDINGS``, read at located levels; members are averaged in probability.

    ``why_none`` is why no level was located, where that is known: the reason of every finding then, instead of its own level's absence.
    ``moved_mm`` is how far the patient had moved before each series, as in ``Site``. With ``explain`` each grade has its saliency.

    Raises:
        ModelFileError: a member lacks a network or its calibration.
    """
    sites = sites_from_locations(locations, moved_mm)
    return grade_sites(study, sites, members, lambda finding: why_none or f"level {finding.level.value} was not found", explain=explain)


def grade_sites(
    study: Study,
    sites: Mapping[Finding, Site],
    members: Sequence[Member],
    why_absent: Callable[[Finding], str],
    *,
    explain: bool = False,
) -> tuple[Grade, ...]:
    """The 25 grades in the order of ``FINDINGS``, read at given sites; ``why_absent`` gives the reason of a finding without a site.

    Where the model hears findings together, a grade also depends on which others there are.

    Raises:
        ModelFileError: a member lacks a network or its calibration.
    """
    if not members:
        raise ModelFileError("a model needs at least one member")
    crops, opinions = read_crops(crop_sites(study, sites), [member.networks for member in members])
    floors = {
        condition: float(np.mean([_calibration(member, condition).set_floor for member in members]))
        for condition in {finding.condition for finding in opinions[0]}
    }
    voices = list(zip(members, opinions, strict=True))
    grades = (_grade(finding, crops.get(finding), voices, floors, why_absent) for finding in FINDINGS)
    return tuple(_explained(grade, crops, members) for grade in grades) if explain else tuple(grades)


def _calibration(member: Member, condition: Condition, opinion: Opinion = Opinion.BOTH) -> Calibration:
    return Calibration.from_parameters(member.calibration.get(f"{condition.value}{opinion.value}", {}))


def _grade(
    finding: Finding,
    crops: SiteCrops | None,
    voices: Sequence[tuple[Member, Mapping[Finding, Reading]]],
    floors: Mapping[Condition, float],
    why_absent: Callable[[Finding], str],
) -> Grade:
    if crops is None:
        return Grade(finding, None, None, why_absent(finding))
    if crops.best is None:
        return Grade(finding, None, None, crops.reason)
    spoken = [(member, readings[finding]) for member, readings in voices]
    probabilities = _mean_opinion(finding.condition, spoken, Opinion.BOTH)
    has_parts = all(f"{finding.condition.value}{Opinion.MEASURED.value}" in member.calibration for member, _ in spoken)
    parts = (Opinion.NETWORK, Opinion.MEASURED) if has_parts else ()
    return Grade(
        finding,
        probabilities,
        crops.best.evidence,
        None,
        _prediction_set(probabilities, floors[finding.condition]),
        _joined([reading.measurements for _, reading in spoken]),
        {part.name.lower(): _mean_opinion(finding.condition, spoken, part) for part in parts},
        offset_mm=max((offset for offset in mean_offsets_mm([reading for _, reading in spoken]) if offset is not None), default=None),
    )


def _mean_opinion(condition: Condition, spoken: Sequence[tuple[Member, Reading]], opinion: Opinion) -> Probabilities:
    """Members averaged in probability."""
    said = [_calibration(member, condition, opinion).probabilities(reading.logits, reading.openness).values for member, reading in spoken]
    mean = np.mean(said, axis=0)
    return Probabilities(*(mean / mean.sum()).tolist())


def _explained(grade: Grade, crops: Mapping[Finding, SiteCrops], members: Sequence[Member]) -> Grade:
    if grade.probabilities is None:
        return grade
    return replace(grade, saliency=find_saliency(crops[grade.finding], members, grade.probabilities.severity))


def _joined(estimates: Sequence[Mapping[str, Measurement]]) -> dict[str, Measurement]:
    """The mean of several estimates; its spread is that of their mixture. What one of them lacks is left out."""
    joined = {}
    for name in estimates[0]:
        if all(name in each for each in estimates):
            values = np.array([each[name].value for each in estimates])
            variance = np.mean([each[name].spread ** 2 for each in estimates]) + values.var()
            joined[name] = Measurement(float(values.mean()), float(variance**0.5))
    return joined


def _prediction_set(probabilities: Probabilities, floor: float) -> tuple[Severity, ...]:
    """Those at least as probable as the floor, and the likeliest; empty without a floor."""
    likely = (severity for severity in SEVERITIES if probabilities.values[severity] >= floor or severity is probabilities.severity)
    return tuple(likely) if floor else ()
