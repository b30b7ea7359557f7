"""What the networks of a model say of the sites of a study, before any calibration.

Each condition's network reads its pictures; pictures that turn out to be badly framed are put aside, and then the findings are heard
together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from lumbargrade.errors import ModelFileError
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.grade.calibration import Logits
from lumbargrade.grade.context import CONTEXT, in_context
from lumbargrade.grade.crop import Crop
from lumbargrade.grade.recipe import LOGITS_OUTPUT, MEASURES, MEASURES_OUTPUT, NETWORK_NAMES, OFFSET_OUTPUT, SPREAD_OUTPUT
from lumbargrade.grade.site import Site
from lumbargrade.grade.site_crops import SiteCrops, crop_sites, network_inputs, read_network
from lumbargrade.grade.slices import NoSlice
from lumbargrade.models import Network
from lumbargrade.study import Measurement, Study
from lumbargrade.terms import Finding

FARTHEST_MM = 11.0
"""A picture in which the networks see the site farther than this from the middle shows something else: nothing is graded from it."""


class Reading(NamedTuple):
    """What one member says of a finding.

    Attributes:
        logits: raw.
        measurements: that its network was taught, by name.
        openness: what was counted.
        offsets_mm: how far from the middle of each picture it sees the site; None for a picture that is absent or where it does not tell.
    """

    logits: Logits
    measurements: dict[str, Measurement]
    openness: float
    offsets_mm: tuple[float | None, ...]


def read_sites(study: Study, sites: Mapping[Finding, Site], networks: Mapping[str, Network]) -> dict[Finding, Reading]:
    """What one member says of every finding that can be graded; for fitting a calibration on held-out studies.

    Raises:
        ModelFileError: a network is missing.
    """
    _, (readings,) = read_crops(crop_sites(study, sites), [networks])
    return readings


def read_crops(
    crops: Mapping[Finding, SiteCrops], members: Sequence[Mapping[str, Network]]
) -> tuple[dict[Finding, SiteCrops], list[dict[Finding, Reading]]]:
    """The crops, without those that the members together see to be badly framed, and what each member says of the others.

    Raises:
        ModelFileError: a network is missing.
    """
    spoken = [_read(crops, networks) for networks in members]
    framed = {finding: _framed(found, [each[finding] for each in spoken if finding in each]) for finding, found in crops.items()}
    anew = {finding: found for finding, found in framed.items() if found is not crops[finding]}
    if anew:
        kept = [{finding: reading for finding, reading in readings.items() if finding not in anew} for readings in spoken]
        spoken = [readings | _read(anew, networks) for readings, networks in zip(kept, members, strict=True)]
    return framed, [_heard_together(readings, networks) for readings, networks in zip(spoken, members, strict=True)]


def mean_offsets_mm(readings: Sequence[Reading]) -> tuple[float | None, ...]:
    """Of each picture, over the members that tell."""
    pictures = zip(*(reading.offsets_mm for reading in readings), strict=True)
    told = [[offset for offset in picture if offset is not None] for picture in pictures]
    return tuple(float(np.mean(offsets)) if offsets else None for offsets in told)


def _read(crops: Mapping[Finding, SiteCrops], networks: Mapping[str, Network]) -> dict[Finding, Reading]:
    """Each finding by itself; those without a picture are left out."""
    readings: dict[Finding, Reading] = {}
    for condition, name in NETWORK_NAMES.items():
        findings = [finding for finding, found in crops.items() if finding.condition is condition and found.best]
        if not findings:
            continue
        if name not in networks:
            raise ModelFileError(f"the model has no network {name!r}; it has {', '.join(sorted(networks)) or 'none'}")
        outputs = read_network(networks[name], condition, network_inputs(condition, [crops[finding] for finding in findings]))
        for row, finding in enumerate(findings):
            readings[finding] = _reading(crops[finding], {name: output[row] for name, output in outputs.items()})
    return readings


def _reading(crops: SiteCrops, outputs: Mapping[str, FloatArray]) -> Reading:
    measurements = {}
    if MEASURES_OUTPUT in outputs:
        pairs = zip(outputs[MEASURES_OUTPUT].tolist(), outputs[SPREAD_OUTPUT].tolist(), strict=True)
        measurements = {measure: Measurement(*pair) for measure, pair in zip(MEASURES[crops.site.finding.condition], pairs, strict=True)}
    offsets: list[float | None] = [None] * len(crops.crops)
    if OFFSET_OUTPUT in outputs:
        told = np.linalg.norm(outputs[OFFSET_OUTPUT], axis=-1).tolist()
        offsets = [offset if isinstance(crop, Crop) else None for offset, crop in zip(told, crops.crops, strict=True)]
    return Reading(Logits(*outputs[LOGITS_OUTPUT].tolist()), measurements, crops.openness, tuple(offsets))


def _framed(crops: SiteCrops, readings: Sequence[Reading]) -> SiteCrops:
    """The same crops, or others where a picture is put aside."""
    if not readings:
        return crops
    offsets = mean_offsets_mm(readings)
    if all(offset is None or offset <= FARTHEST_MM for offset in offsets):
        return crops
    kept = tuple(
        NoSlice(f"the site is seen about {offset:.0f} mm from where it was located (limit {FARTHEST_MM:g} mm)")
        if offset is not None and offset > FARTHEST_MM
        else crop
        for crop, offset in zip(crops.crops, offsets, strict=True)
    )
    return replace(crops, crops=kept)


def _heard_together(readings: dict[Finding, Reading], networks: Mapping[str, Network]) -> dict[Finding, Reading]:
    """Every finding in the light of the others; the same where the member has no network for that."""
    if CONTEXT not in networks or not readings:
        return readings
    heard = in_context(networks[CONTEXT], {finding: reading.logits for finding, reading in readings.items()})
    return {finding: reading._replace(logits=heard[finding]) for finding, reading in readings.items()}
