"""The crops of every site of a study, and how a condition's network reads them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lumbargrade.grade.crop import NETWORK_SLICES, Crop, crop_site
from lumbargrade.grade.openness import openness
from lumbargrade.grade.recipe import OFFSET_OUTPUT, PRESENT_INPUT, RECIPES
from lumbargrade.grade.site import Site
from lumbargrade.grade.slices import NoSlice
from lumbargrade.models import Network
from lumbargrade.study import Study
from lumbargrade.terms import FINDINGS, Condition, Finding


@dataclass(frozen=True, eq=False)
class SiteCrops:
    """The crops of one site, one per recipe of its condition."""

    site: Site
    crops: tuple[Crop | NoSlice, ...]

    @property
    def best(self) -> Crop | None:
        """The crop to show as evidence; None if no slice shows the site."""
        return next((crop for crop in self.crops if isinstance(crop, Crop)), None)

    @cached_property
    def openness(self) -> float:
        """As in ``grade.openness``, of the crops that there are; counted once, however many networks read them."""
        return openness([crop for crop in self.crops if isinstance(crop, Crop)])

    @property
    def reason(self) -> str:
        """Why crops are missing."""
        return "; ".join(crop.reason for crop in self.crops if isinstance(crop, NoSlice))


def crop_sites(study: Study, sites: Mapping[Finding, Site]) -> dict[Finding, SiteCrops]:
    """Every site with all crops of its condition, in the order of ``FINDINGS``."""
    return {
        finding: SiteCrops(sites[finding], tuple(crop_site(study, sites[finding], recipe) for recipe in RECIPES[finding.condition]))
        for finding in FINDINGS
        if finding in sites
    }


def network_inputs(condition: Condition, batch: Sequence[SiteCrops]) -> dict[str, NDArray[np.float32]]:
    """Named float32 inputs of a condition's network: (n, 5, size, size) per picture, blank where absent, and which are present."""
    inputs: dict[str, NDArray[np.float32]] = {}
    present = np.zeros((len(batch), len(RECIPES[condition])), np.float32)
    for column, recipe in enumerate(RECIPES[condition]):
        pictures = np.zeros((len(batch), NETWORK_SLICES, recipe.size_px, recipe.size_px), np.float32)
        for row, site_crops in enumerate(batch):
            crop = site_crops.crops[column]
            if isinstance(crop, Crop):
                pictures[row], present[row, column] = crop.network_pixels, 1
        inputs[recipe.input_name] = pictures
    return inputs if present.shape[1] == 1 else {**inputs, PRESENT_INPUT: present}


def read_network(network: Network, condition: Condition, inputs: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """All outputs. Sided sites look alike on both sides already; the canal is read both ways round, so no mirror changes its grade."""
    outputs = network.run(**inputs)
    if condition.is_paired:
        return outputs
    mirrored = network.run(**_mirrored(condition, inputs))
    if OFFSET_OUTPUT in mirrored:
        mirrored[OFFSET_OUTPUT] = mirrored[OFFSET_OUTPUT] * np.array(reflected_axes(condition), np.float32)
    return {name: np.asarray((output + mirrored[name]) / 2, np.float32) for name, output in outputs.items()}


def reflected_axes(condition: Condition) -> list[tuple[float, float]]:
    """What happens to places along columns and rows of each of a condition's pictures when the patient is reflected left to right."""
    return [(1.0 if recipe.role.is_sagittal else -1.0, 1.0) for recipe in RECIPES[condition]]


def _mirrored(condition: Condition, inputs: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """The pictures of the patient reflected left to right: sagittal slices in the other order, axial slices with columns reversed."""
    pictures = {
        recipe.input_name: np.ascontiguousarray(np.flip(inputs[recipe.input_name], 1 if recipe.role.is_sagittal else 3))
        for recipe in RECIPES[condition]
    }
    return inputs | pictures
