"""Hiding places of a picture finds the one that a network looks at, on either side of the patient."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.grade import Site
from lumbargrade.grade.crop import cut_crop
from lumbargrade.grade.recipe import SUBARTICULAR_AXIAL
from lumbargrade.grade.saliency import HIDDEN_PX, find_saliency
from lumbargrade.grade.site_crops import SiteCrops
from lumbargrade.grade.slices import SliceChoice
from lumbargrade.models import Member
from lumbargrade.study import Instance, Saliency, Series, SeriesTiming, Stack
from lumbargrade.terms import Condition, Finding, Laterality, Level, SeriesRole, Severity
from lumbargrade.train.export import export_onnx

SITE = np.array([10.0, -20.0, 3.0])
LATERAL_MM, POSTERIOR_MM = 9.0, 6.0
"""Where, from the site, the bright spot lies that the network looks for: away from the midline and to the back."""


class BrightestPixel(nn.Module):
    """Severe as far as any pixel of the middle slice is bright."""

    def forward(self, pictures: Tensor) -> Tensor:
        brightest = pictures[:, 2].amax((1, 2))
        return torch.stack([0 * brightest, 0 * brightest, 8 * brightest - 4], 1)


@pytest.fixture(scope="module")
def member(tmp_path_factory: pytest.TempPathFactory) -> Member:
    path = tmp_path_factory.mktemp("network") / "subarticular.onnx"
    size = SUBARTICULAR_AXIAL.size_px
    export_onnx(BrightestPixel(), path, {"axial": torch.rand(2, 5, size, size)}, ["logits"], {"axial": {0: "n"}, "logits": {0: "n"}})
    return Member({"subarticular": path.read_bytes()}, {}, threads=1)


def crops_of(side: Laterality) -> tuple[SiteCrops, np.ndarray]:
    """A dark axial stack with one bright spot beside the site, as seen from the side's crop; and where the spot lies."""
    spot = SITE * [side.lps_sign, 1, 1] + [side.lps_sign * LATERAL_MM, POSTERIOR_MM, 0]
    instances = []
    for number in range(3):
        affine = SliceAffine(np.array([-60.0, -80.0, -1.0 + 4 * number]), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), 0.5, 0.5)
        column, row = affine.to_px(spot)[0]
        y, x = np.mgrid[:240, :240]
        instances.append(
            Instance(f"1.{number}", number, affine, 900 * np.exp(-((x - column) ** 2 + (y - row) ** 2) / 18).astype(np.float32))
        )
    stack = Stack.ordered(instances)
    series = Series("1", "", "", SeriesTiming(), SeriesRole.AXIAL_T2, "made so", (stack,))
    finding = Finding(Condition.SUBARTICULAR_STENOSIS, side, Level.L4_L5)
    site = Site(finding, SITE * [side.lps_sign, 1, 1])
    return SiteCrops(site, (cut_crop(SliceChoice(series, stack, 1), site, SUBARTICULAR_AXIAL),)), spot


@pytest.mark.parametrize("side", Laterality)
def test_the_place_that_decides_is_found_in_the_patient(side: Laterality, member: Member) -> None:
    crops, spot = crops_of(side)
    found = find_saliency(crops, [member], Severity.SEVERE)
    row, column = np.unravel_index(found.values.argmax(), found.values.shape)
    strongest = found.affine.to_lps(np.array([[column, row]], np.float64))[0]
    hidden_mm = HIDDEN_PX * SUBARTICULAR_AXIAL.spacing_mm
    assert np.abs(strongest - spot)[:2].max() <= hidden_mm / 2 + 1e-6
    assert found.values.max() > 3
    assert np.abs(found.values[0]).max() < 0.2  # the front of the crop is dark already
    assert found.share_within(spot, hidden_mm) > 0.9
    assert found.share_within(SITE * [side.lps_sign, 1, 1] - [0, 15, 0], 8.0) < 0.1


def test_what_speaks_for_one_grade_speaks_against_another(member: Member) -> None:
    crops, _ = crops_of(Laterality.LEFT)
    assert find_saliency(crops, [member], Severity.NORMAL_MILD).values.min() < -1


def test_members_are_averaged(member: Member) -> None:
    crops, _ = crops_of(Laterality.LEFT)
    one, two = (find_saliency(crops, members, Severity.SEVERE).values for members in ([member], [member, member]))
    np.testing.assert_allclose(one, two, atol=1e-5)


def test_where_nothing_speaks_for_a_grade_nothing_lies_elsewhere() -> None:
    affine = SliceAffine(np.zeros(3), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), 3.0, 3.0)
    assert Saliency(np.full((4, 4), -1.0, np.float32), affine).share_within(np.array([50.0, 0, 0]), 5.0) == 1.0
