"""Counting bright pixels: a share of a window at the site, whatever the picture's brightness, over the usual share."""

import numpy as np
import pytest

from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.grade.crop import Crop
from lumbargrade.grade.openness import WINDOWS, bright_share, openness
from lumbargrade.grade.recipe import CANAL_AXIAL, CANAL_SAGITTAL, RECIPES, CropRecipe
from lumbargrade.study import Evidence

AFFINE = SliceAffine(np.zeros(3), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), 1.0, 1.0)
EVIDENCE = Evidence("1", "2", 3, 0.0, 0.0, np.zeros(3))


def crop_of(recipe: CropRecipe, bright_mm: float, gain: float = 1.0) -> Crop:
    """A grey picture with fluid as wide as said around the middle of the recipe's window, on the middle slice alone."""
    (x, y), place = WINDOWS[recipe].center_mm, (np.arange(recipe.wide_px) - (recipe.wide_px - 1) / 2) * recipe.spacing_mm
    fluid = (place[None] - x) ** 2 + (place[:, None] - y) ** 2 <= bright_mm**2
    noise = np.random.default_rng(0).uniform(0, 0.1, (3, *fluid.shape))
    noise[1] += 0.7 * fluid
    return Crop(recipe, (gain * noise).astype(np.float32), EVIDENCE, AFFINE)


@pytest.mark.parametrize("recipe", [recipe for recipes in RECIPES.values() for recipe in recipes], ids=lambda recipe: str(recipe.role))
def test_the_share_grows_with_the_fluid_and_not_with_the_brightness(recipe: CropRecipe) -> None:
    shares = [bright_share(crop_of(recipe, bright_mm).pixels, recipe) for bright_mm in (3, 4.5, 6)]
    assert shares == sorted(shares)
    assert shares[2] > shares[0] + 0.2
    assert bright_share(crop_of(recipe, 4.5, gain=3.0).pixels, recipe) == pytest.approx(shares[1], abs=1e-6)


def test_a_window_full_of_fluid_is_all_bright() -> None:
    assert bright_share(crop_of(CANAL_AXIAL, 14.0).pixels, CANAL_AXIAL) > 0.98


def test_openness_is_the_mean_of_the_pictures_there_are() -> None:
    pictures = crop_of(CANAL_SAGITTAL, 4.0), crop_of(CANAL_AXIAL, 7.0)
    alone = [openness([picture]) for picture in pictures]
    assert openness(pictures) == pytest.approx(np.mean(alone))
    assert alone[0] == pytest.approx(bright_share(pictures[0].pixels, CANAL_SAGITTAL) / WINDOWS[CANAL_SAGITTAL].usual)
