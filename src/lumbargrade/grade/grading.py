"""Sites to grades: every crop of a study goes through its condition's network in one batch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lumbargrade.errors import ModelFileError
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.grade.calibration import Calibration, Logits
from lumbargrade.grade.crop import Crop, crop_site
from lumbargrade.grade.recipe import LOGITS_OUTPUT, MEASURES, MEASURES_OUTPUT, NETWORK_NAMES, PRESENT_INPUT, RECIPES, SPREAD_OUTPUT
from lumbargrade.grade.site import Site, sites_from_locations
from lumbargrade.grade.slices import NoSlice
from lumbargrade.models import Member, Network
from lumbargrade.study import Grade, LevelLocation, Measurement, Probabilities, Study
from lumbargrade.terms import FINDINGS, SEVERITIES, Condition, Finding, Severity


class Reading(NamedTuple):
    """What a network says of a finding: raw logits, and the measurements that it was taught, by name."""

    logits: Logits
    measurements: dict[str, Measurement]


@dataclass(frozen=True, slots=True, eq=False)
class SiteCrops:
    """The crops of one site, one per recipe of its condition."""

    site: Site
    crops: tuple[Crop | NoSlice, ...]

    @property
    def best(self) -> Crop | None:
        """The crop to show as evidence; None if no slice shows the site."""
        return next((crop for crop in self.crops if isinstance(crop, Crop)), None)

    @property
    def reason(self) -> str:
        """Why crops are missing."""
        return "; ".join(crop.reason for crop in self.crops if isinstance(crop, NoSlice))


def grade_study(
    study: Study,
    locations: Sequence[LevelLocation],
    members: Sequence[Member],
    why_none: str | None = None,
    moved_mm: Mapping[str, FloatArray] | None = None,
) -> tuple[Grade, ...]:
    """The 25 grades in the order of ``FINDINGS``, read at located levels; members are averaged in probability.

    ``why_none`` is why no level was located, where that is known: the reason of every finding then, instead of its own level's absence.
    ``moved_mm`` is how far the patient had moved before each series, as in ``Site``.

    Raises:
        ModelFileError: a member lacks a network or its calibration.
    """
    return grade_sites(
        study, sites_from_locations(locations, moved_mm), members, lambda finding: why_none or f"level {finding.level.value} was not found"
    )


def grade_sites(
    study: Study, sites: Mapping[Finding, Site], members: Sequence[Member], why_absent: Callable[[Finding], str]
) -> tuple[Grade, ...]:
    """The 25 grades in the order of ``FINDINGS``, read at given sites; ``why_absent`` gives the reason of a finding without a site.

    Raises:
        ModelFileError: a member lacks a network or its calibration.
    """
    if not members:
        raise ModelFileError("a model needs at least one member")
    crops = crop_sites(study, sites)
    opinions = [_run_networks(crops, member.networks) for member in members]
    floors = {
        condition: float(np.mean([_calibration(member, condition).set_floor for member in members]))
        for condition in {finding.condition for finding in opinions[0]}
    }
    voices = list(zip(members, opinions, strict=True))
    return tuple(_grade(finding, crops.get(finding), voices, floors, why_absent) for finding in FINDINGS)


def site_logits(study: Study, sites: Mapping[Finding, Site], networks: Mapping[str, Network]) -> dict[Finding, Logits]:
    """Raw, uncalibrated logits of every finding that can be graded; for fitting a calibration on held-out studies."""
    return {finding: reading.logits for finding, reading in _run_networks(crop_sites(study, sites), networks).items()}


def crop_sites(study: Study, sites: Mapping[Finding, Site]) -> dict[Finding, SiteCrops]:
    """Every site with all crops of its condition, in the order of ``FINDINGS``."""
    return {
        finding: SiteCrops(sites[finding], tuple(crop_site(study, sites[finding], recipe) for recipe in RECIPES[finding.condition]))
        for finding in FINDINGS
        if finding in sites
    }


def network_inputs(condition: Condition, batch: Sequence[SiteCrops]) -> dict[str, NDArray[np.float32]]:
    """Named float32 inputs of a condition's network: (n, 3, size, size) per picture, blank where absent, and which are present."""
    inputs: dict[str, NDArray[np.float32]] = {}
    present = np.zeros((len(batch), len(RECIPES[condition])), np.float32)
    for column, recipe in enumerate(RECIPES[condition]):
        pictures = np.zeros((len(batch), 3, recipe.size_px, recipe.size_px), np.float32)
        for row, site_crops in enumerate(batch):
            crop = site_crops.crops[column]
            if isinstance(crop, Crop):
                pictures[row], present[row, column] = crop.network_pixels, 1
        inputs[recipe.input_name] = pictures
    return inputs if present.shape[1] == 1 else {**inputs, PRESENT_INPUT: present}


def _run_networks(crops: Mapping[Finding, SiteCrops], networks: Mapping[str, Network]) -> dict[Finding, Reading]:
    readings: dict[Finding, Reading] = {}
    for condition, name in NETWORK_NAMES.items():
        findings = [finding for finding, found in crops.items() if finding.condition is condition and found.best]
        if not findings:
            continue
        if name not in networks:
            raise ModelFileError(f"the model has no network {name!r}; it has {', '.join(sorted(networks)) or 'none'}")
        outputs = _read(networks[name], condition, network_inputs(condition, [crops[finding] for finding in findings]))
        for row, finding in enumerate(findings):
            measurements = {}
            if MEASURES_OUTPUT in outputs:
                pairs = zip(outputs[MEASURES_OUTPUT][row].tolist(), outputs[SPREAD_OUTPUT][row].tolist(), strict=True)
                measurements = {name: Measurement(*pair) for name, pair in zip(MEASURES[condition], pairs, strict=True)}
            readings[finding] = Reading(Logits(*outputs[LOGITS_OUTPUT][row].tolist()), measurements)
    return readings


def _read(network: Network, condition: Condition, inputs: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """All outputs. Sided sites look alike on both sides already; the canal is read both ways round, so no mirror changes its grade."""
    outputs = network.run(**inputs)
    if condition.is_paired:
        return outputs
    mirrored = network.run(**_mirrored(condition, inputs))
    return {name: np.asarray((output + mirrored[name]) / 2, np.float32) for name, output in outputs.items()}


def _mirrored(condition: Condition, inputs: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """The pictures of the patient reflected left to right: sagittal slices in the other order, axial slices with columns reversed."""
    pictures = {
        recipe.input_name: np.ascontiguousarray(np.flip(inputs[recipe.input_name], 1 if recipe.role.is_sagittal else 3))
        for recipe in RECIPES[condition]
    }
    return inputs | pictures


def _calibration(member: Member, condition: Condition) -> Calibration:
    return Calibration.from_parameters(member.calibration.get(condition.value, {}))


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
    said = [_calibration(member, finding.condition).probabilities(readings[finding].logits).values for member, readings in voices]
    mean = np.mean(said, axis=0)
    probabilities = Probabilities(*(mean / mean.sum()).tolist())
    prediction_set = _prediction_set(probabilities, floors[finding.condition])
    measurements = _joined([readings[finding].measurements for _, readings in voices])
    return Grade(finding, probabilities, crops.best.evidence, None, prediction_set, measurements)


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
