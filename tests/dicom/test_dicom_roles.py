"""Which role a series gets, and that the reason names the evidence."""

from collections.abc import Callable

import pytest

from lumbargrade.dicom import SeriesClues, assign_role
from lumbargrade.geometry.orientation import AnatomicalPlane
from lumbargrade.study import SeriesTiming, Stack
from lumbargrade.terms import SeriesRole

AXIAL, CORONAL, SAGITTAL = AnatomicalPlane.AXIAL, AnatomicalPlane.CORONAL, AnatomicalPlane.SAGITTAL
T1, T2, AXIAL_T2, OTHER = SeriesRole.SAGITTAL_T1, SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2, SeriesRole.OTHER
MakeStack = Callable[..., Stack]


@pytest.mark.parametrize(
    ("plane", "times", "role", "reason"),
    [
        (SAGITTAL, (10, 560), T1, "T1: TE 10 ms, TR 560 ms"),
        (SAGITTAL, (105, 3200), T2, "T2: TE 105 ms"),
        (SAGITTAL, (40, 4000, 150), T2, "STIR: TE 40 ms, TR 4000 ms, TI 150 ms"),
        (SAGITTAL, (12, 2000, 860), T1, "TI 860 ms"),
        (SAGITTAL, (12, 3000), OTHER, "no description that tell T1 from T2"),
        (AXIAL, (98, 4100), AXIAL_T2, "T2: TE 98 ms"),
        (AXIAL, (10, 560), OTHER, "only axial T2 is used"),
        (CORONAL, (98, 4100), OTHER, "coronal"),
    ],
)
def test_times_tell_the_role(
    make_stack: MakeStack, plane: AnatomicalPlane, times: tuple[float, ...], role: SeriesRole, reason: str
) -> None:
    found, why = assign_role(SeriesClues(timing=SeriesTiming(*times)), [make_stack(plane, 9)])
    assert found is role
    assert reason in why


@pytest.mark.parametrize(
    "text", ["T1", "t1_tse_sag", "SAG T1 FSE", "Sag T1", "sagT1w", "T1W_TSE", "T1-weighted L-spine", "L1-S1 T1 tse", "sT1W", "t1_fl C7-T2"]
)
def test_words_for_t1_are_understood(make_stack: MakeStack, text: str) -> None:
    assert assign_role(SeriesClues(text), [make_stack(SAGITTAL, 9)])[0] is T1


@pytest.mark.parametrize(
    "text", ["T2", "SAG T2 FRFSE", "t2_tse_sag_p2", "T2W_TSE", "STIR SAG", "t2_tirm_sag", "sag t2fs", "TIR_sag", "T2/STIR"]
)
def test_words_for_t2_and_stir_are_understood(make_stack: MakeStack, text: str) -> None:
    assert assign_role(SeriesClues(text), [make_stack(SAGITTAL, 9)])[0] is T2


@pytest.mark.parametrize("text", ["", "L-SPINE", "SAG PAT2", "T12-L5 sag", "SAG C7-T1", "INT1", "SAG PD", "T1 and T2", "SET1"])
def test_words_that_tell_nothing_give_no_role(make_stack: MakeStack, text: str) -> None:
    role, why = assign_role(SeriesClues(text), [make_stack(SAGITTAL, 9)])
    assert role is OTHER
    assert "no times and no description" in why


@pytest.mark.parametrize("text", ["loc", "3-plane localizer", "SURVEY", "scout t2", "ep2d_diff t2", "ADC", "t2_myelo"])
def test_localisers_and_derived_series_have_no_role(make_stack: MakeStack, text: str) -> None:
    assert assign_role(SeriesClues(text), [make_stack(SAGITTAL, 9)])[0] is OTHER


def test_the_series_description_outranks_the_protocol(make_stack: MakeStack) -> None:
    assert assign_role(SeriesClues("t1 sag", "t2_tse"), [make_stack(SAGITTAL, 9)])[0] is T1
    assert assign_role(SeriesClues("lumbar", "t2_tse"), [make_stack(SAGITTAL, 9)])[0] is T2


def test_orthogonal_stacks_are_a_localiser(make_stack: MakeStack) -> None:
    role, why = assign_role(SeriesClues("T2"), [make_stack(plane, 3) for plane in AnatomicalPlane])
    assert role is OTHER
    assert "localiser" in why


def test_a_steep_block_does_not_turn_an_axial_series_coronal(make_stack: MakeStack) -> None:
    blocks = [make_stack(AXIAL, 5), make_stack(AXIAL, 5, tilt_deg=15.0), make_stack(AXIAL, 4, tilt_deg=50.0)]
    assert blocks[2].plane is CORONAL
    assert assign_role(SeriesClues("T2"), blocks)[0] is AXIAL_T2


def test_two_slices_have_no_role(make_stack: MakeStack) -> None:
    assert assign_role(SeriesClues("T2"), [make_stack(SAGITTAL, 2)])[0] is OTHER


@pytest.mark.parametrize("text", ["t1_tse_tra_fs +c", "AX T1 POST GD", "ax t1 fs"])
def test_axial_t1_is_other_whatever_was_given(make_stack: MakeStack, text: str) -> None:
    role, why = assign_role(SeriesClues(text), [make_stack(AXIAL, 9)])
    assert role is OTHER
    assert "only axial T2 is used" in why


def test_a_fat_suppressed_sagittal_t1_is_other(make_stack: MakeStack) -> None:
    assert assign_role(SeriesClues("sag t1 fs"), [make_stack(SAGITTAL, 9)])[0] is OTHER
    assert assign_role(SeriesClues("sag t1", scan_options="FC FS"), [make_stack(SAGITTAL, 9)])[0] is OTHER
    assert assign_role(SeriesClues("sag t1 post gd"), [make_stack(SAGITTAL, 9)]) == (
        T1,
        "sagittal by orientation; T1: description says so; contrast-enhanced",
    )


def test_what_people_type_into_descriptions_is_not_quoted(make_stack: MakeStack) -> None:
    for clues in (
        SeriesClues("sag t2 JANE DOE 1950-01-01"),
        SeriesClues("t2", protocol="JANE DOE"),
        SeriesClues("t2", modality="JANE DOE"),
    ):
        assert "JANE" not in assign_role(clues, [make_stack(SAGITTAL, 9)])[1]


def test_another_modality_has_no_role(make_stack: MakeStack) -> None:
    assert assign_role(SeriesClues("T2", modality="CT"), [make_stack(SAGITTAL, 9)])[0] is OTHER


def test_gradient_echo_is_not_taken_for_t2(make_stack: MakeStack) -> None:
    assert assign_role(SeriesClues("ax t2* medic"), [make_stack(AXIAL, 9)])[0] is OTHER
