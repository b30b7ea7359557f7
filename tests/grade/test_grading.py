from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from lumbargrade.errors import ModelFileError
from lumbargrade.grade import Calibration, Logits, grade_sites, grade_study, read_sites, sites_from_locations
from lumbargrade.grade.reading import FARTHEST_MM
from lumbargrade.grade.recipe import MEASURES, RECIPES
from lumbargrade.models import Member
from lumbargrade.study import LevelLocation
from lumbargrade.terms import FINDINGS, SEVERITIES, Condition, Finding, Laterality, Level, SeriesRole
from lumbargrade.train.export import export_onnx
from lumbargrade.train.grader_network import Scale, build_grader, export_grader

CENTER = np.array([4.3, -21.7, 112.9])
NAMES = {
    Condition.SPINAL_CANAL_STENOSIS: "canal",
    Condition.NEURAL_FORAMINAL_NARROWING: "foramen",
    Condition.SUBARTICULAR_STENOSIS: "subarticular",
}
NEUTRAL = {condition.value: Calibration().as_parameters() for condition in Condition}
UNMEASURED = Condition.NEURAL_FORAMINAL_NARROWING
"""Its network was not taught any measure."""
AXIAL_OFFSETS = [-12.3, -8.1, -4.0, 0.2, 4.1, 8.3, 12.2]


def member_of(folder, seed):
    torch.manual_seed(seed)
    contents = {}
    for condition, name in NAMES.items():
        path = folder / f"{name}{seed}.onnx"
        count = len(MEASURES[condition])
        scale = Scale(np.full(count, 50.0, np.float32), np.full(count, 10.0, np.float32))
        export_grader(build_grader(condition), condition, path, None if condition is UNMEASURED else scale)
        contents[name] = path.read_bytes()
    return Member(contents, NEUTRAL)


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    return [member_of(folder, seed) for seed in (0, 1)]


def location(level, z, x=0.0):
    sides = {side: CENTER + np.array([x + side.lps_sign * 11.0, 1.0, z]) for side in Laterality}
    canal = CENTER + np.array([x, 0.7, z])
    return LevelLocation(level, canal, canal + np.array([0.0, -27.0, 0.0]), np.array([0.0, 0.0, 1.0]), sides, sides, 0.9)


LOCATIONS = [location(Level.L3_L4, 9.4, 1.1), location(Level.L4_L5, -7.7)]


@pytest.fixture
def study(scanner, field):
    sagittal = [-17.0, -12.8, -8.5, -4.2, 0.1, 4.3, 8.6, 12.9, 17.1]
    return scanner.study(
        scanner.series(SeriesRole.SAGITTAL_T1, field, CENTER, sagittal),
        scanner.series(SeriesRole.SAGITTAL_T2, field, CENTER, sagittal),
        scanner.series(SeriesRole.AXIAL_T2, field, CENTER, AXIAL_OFFSETS),
    )


def without(study, *roles):
    return replace(study, series=tuple(series for series in study.series if series.role not in roles))


def test_a_study_gets_25_grades_in_order_and_unfound_levels_say_so(study, members):
    grades = grade_study(study, LOCATIONS, members)
    assert tuple(grade.finding for grade in grades) == FINDINGS
    for grade in grades:
        found = grade.finding.level in (Level.L3_L4, Level.L4_L5)
        assert grade.is_graded is found
        assert grade.reason == (None if found else f"level {grade.finding.level.value} was not found")


def test_where_no_level_was_located_every_finding_has_the_one_reason(study, members):
    grades = grade_study(study, [], members, "no lumbar level could be named: too few discs")
    assert tuple(grade.finding for grade in grades) == FINDINGS
    assert {grade.reason for grade in grades} == {"no lumbar level could be named: too few discs"}


def test_missing_series_are_named_and_the_canal_does_with_either(study, members):
    expected = {
        Condition.NEURAL_FORAMINAL_NARROWING: "no sagittal T1 series",
        Condition.SUBARTICULAR_STENOSIS: "no axial T2 series",
        Condition.SPINAL_CANAL_STENOSIS: "no sagittal T2 series; no axial T2 series",
    }
    for grade in grade_study(without(study, *SeriesRole), LOCATIONS, members):
        if grade.finding.level is Level.L4_L5:
            assert grade.reason == expected[grade.finding.condition]
    canal = FINDINGS.index(Finding(Condition.SPINAL_CANAL_STENOSIS, None, Level.L4_L5))
    for role, left in ((SeriesRole.SAGITTAL_T2, "1.axial_t2"), (SeriesRole.AXIAL_T2, "1.sagittal_t2")):
        grade = grade_study(without(study, role), LOCATIONS, members)[canal]
        assert grade.evidence.series_instance_uid == left
        assert sum(grade.probabilities.values) == pytest.approx(1)


def test_members_are_averaged_in_probability(study, members):
    both, *single = (grade_study(study, LOCATIONS, chosen) for chosen in (members, members[:1], members[1:]))
    for mean, first, second in zip(both, *single, strict=True):
        if mean.is_graded:
            expected = (np.array(first.probabilities.values) + second.probabilities.values) / 2
            np.testing.assert_allclose(mean.probabilities.values, expected, atol=1e-7)


def test_each_condition_is_calibrated_with_its_own_numbers(study, members):
    bias = NEUTRAL | {Condition.SUBARTICULAR_STENOSIS.value: Calibration(1.0, 0.0, 2.0).as_parameters()}
    plain, biased = (grade_study(study, LOCATIONS, [replace(members[0], calibration=one)]) for one in (NEUTRAL, bias))
    for before, after in zip(plain, biased, strict=True):
        if before.is_graded:
            odds = [grade.probabilities.severe / grade.probabilities.normal_mild for grade in (before, after)]
            factor = np.exp(2.0) if before.finding.condition is Condition.SUBARTICULAR_STENOSIS else 1.0
            assert odds[1] / odds[0] == pytest.approx(factor, rel=1e-5)


def test_a_mirrored_patient_swaps_the_sides_and_nothing_else(study, members, mirror):
    flip = np.array([-1.0, 1.0, 1.0])

    def mirrored(one):
        sides = {side: one.foramen_lps_mm[side.opposite] * flip for side in Laterality}
        canal, disc = one.canal_lps_mm * flip, one.disc_center_lps_mm * flip
        return LevelLocation(one.level, canal, disc, one.disc_normal * flip, sides, sides, one.confidence)

    straight = read_sites(study, sites_from_locations(LOCATIONS), members[0].networks)
    reflected = read_sites(mirror(study), sites_from_locations([mirrored(one) for one in LOCATIONS]), members[0].networks)
    paired = [finding for finding in straight if finding.condition.is_paired]
    assert len(paired) == 8
    for finding in paired:
        np.testing.assert_allclose(reflected[finding.mirrored].logits.values, straight[finding].logits.values, atol=1e-6)
    assert any(abs(straight[f].logits.severe - straight[f.mirrored].logits.severe) > 1e-3 for f in paired)
    assert all(reflected[f.mirrored].openness == pytest.approx(straight[f].openness, abs=0.02) for f in straight if f.condition.is_paired)


class Astray(nn.Module):
    """Sees every site of the subarticular zone or the canal's axial picture a given way off."""

    def __init__(self, offset_mm, pictures):
        super().__init__()
        self.offset_mm, self.pictures = offset_mm, pictures

    def forward(self, *inputs):
        zero = sum(each.flatten(1)[:, 0] for each in inputs) * 0
        offsets = torch.stack([torch.stack([zero + x, zero + y], 1) for x, y in self.offset_mm], 1)
        return torch.stack([zero + 2, zero, zero], 1), offsets


def astray(member, condition, offset_mm, folder):
    """The member with a network of a condition that sees sites off."""
    inputs = {recipe.input_name: torch.rand(2, 5, recipe.size_px, recipe.size_px) for recipe in RECIPES[condition]}
    if len(inputs) > 1:
        inputs["present"] = torch.ones(2, 2)
    path = folder / "astray.onnx"
    outputs = ["logits", "offset_mm"]
    export_onnx(Astray(offset_mm, len(RECIPES[condition])), path, inputs, outputs, {name: {0: "n"} for name in (*inputs, *outputs)})
    return replace(member, contents=member.contents | {NAMES[condition]: path.read_bytes()})


class Silent(nn.Module):
    """Grades, and tells nothing else."""

    def forward(self, axial):
        return axial.flatten(1)[:, :3]


def silent_network(folder):
    path = folder / "silent.onnx"
    size = RECIPES[Condition.SUBARTICULAR_STENOSIS][0].size_px
    export_onnx(Silent(), path, {"axial": torch.rand(2, 5, size, size)}, ["logits"], {"axial": {0: "n"}, "logits": {0: "n"}})
    return path.read_bytes()


def test_a_site_seen_off_the_middle_says_so_and_too_far_off_is_not_graded(study, members, tmp_path):
    recess = Condition.SUBARTICULAR_STENOSIS
    for offset, distance in (((3.0, -4.0), 5.0), ((9.0, -12.0), 15.0)):
        grades = grade_study(study, LOCATIONS, [astray(members[0], recess, [offset], tmp_path)])
        found = [grade for grade in grades if grade.finding.condition is recess and grade.finding.level is Level.L4_L5]
        assert len(found) == 2
        for grade in found:
            assert grade.is_graded is (distance < FARTHEST_MM)
            assert grade.offset_mm == pytest.approx(distance) if grade.is_graded else "about 15 mm" in grade.reason


def test_only_pictures_that_are_there_can_be_off_and_a_mirror_reverses_across(study, members, tmp_path):
    canal = Condition.SPINAL_CANAL_STENOSIS
    member = astray(members[0], canal, [(4.0, 1.0), (30.0, 2.0)], tmp_path)
    place = FINDINGS.index(Finding(canal, None, Level.L4_L5))
    # read both ways round, 30 mm to one side and 30 mm to the other are none: what is left is 2 mm down, and 4 and 1 mm in the sagittal
    assert grade_study(study, LOCATIONS, [member])[place].offset_mm == pytest.approx(17**0.5)
    assert grade_study(without(study, SeriesRole.SAGITTAL_T2), LOCATIONS, [member])[place].offset_mm == pytest.approx(2.0)


def test_the_canal_is_graded_from_the_other_picture_where_one_is_badly_framed(study, members, tmp_path):
    canal = Condition.SPINAL_CANAL_STENOSIS
    place = FINDINGS.index(Finding(canal, None, Level.L4_L5))
    for astray_by, uid in ((((20.0, 0.0), (0.0, 1.0)), "1.axial_t2"), (((1.0, 0.0), (0.0, 20.0)), "1.sagittal_t2")):
        grade = grade_study(study, LOCATIONS, [astray(members[0], canal, astray_by, tmp_path)])[place]
        assert grade.evidence.series_instance_uid == uid
        assert grade.offset_mm == pytest.approx(1.0)
    neither = grade_study(study, LOCATIONS, [astray(members[0], canal, ((20.0, 0.0), (0.0, 20.0)), tmp_path)])[place]
    assert neither.reason.count("about 20 mm") == 2


def test_members_that_do_not_tell_have_no_say_in_where_a_site_is_seen(study, members, tmp_path):
    recess = Condition.SUBARTICULAR_STENOSIS
    silent = replace(members[1], contents=members[1].contents | {"subarticular": silent_network(tmp_path)})
    told = astray(members[0], recess, [(6.0, 0.0)], tmp_path)
    for chosen, expected in (([silent], None), ([silent, told], 6.0)):
        found = [grade for grade in grade_study(study, LOCATIONS, chosen) if grade.is_graded and grade.finding.condition is recess]
        assert [grade.offset_mm for grade in found] == [expected] * 4


def test_storage_changes_no_logit(study, members, storage):
    first, second = (read_sites(one, sites_from_locations(LOCATIONS), members[0].networks) for one in (study, storage(study)))
    for finding, reading in first.items():
        np.testing.assert_allclose(second[finding].logits.values, reading.logits.values, atol=2e-5)
        assert second[finding].openness == pytest.approx(reading.openness, abs=1e-3)


def test_a_batch_equals_one_by_one(study, members):
    sites = sites_from_locations(LOCATIONS)
    together = read_sites(study, sites, members[0].networks)
    assert len(together) == 10
    for finding, site in sites.items():
        alone = read_sites(study, {finding: site}, members[0].networks)[finding]
        np.testing.assert_allclose(alone.logits.values, together[finding].logits.values, atol=1e-5)


def test_given_sites_are_graded_and_absent_ones_keep_the_callers_reason(study, members):
    wanted = {finding: site for finding, site in sites_from_locations(LOCATIONS).items() if finding.condition.is_paired}
    grades = grade_sites(study, wanted, members, lambda finding: f"no coordinates for {finding}")
    assert {grade.finding for grade in grades if grade.is_graded} == set(wanted)
    assert grades[0].reason == "no coordinates for spinal canal stenosis L1/L2"


def test_a_model_without_a_network_or_calibration_is_a_model_file_error(study, members):
    contents = {name: content for name, content in members[0].contents.items() if name != "foramen"}
    for broken, words in (
        (replace(members[0], contents=contents), "no network 'foramen'"),
        (replace(members[0], calibration={}), "calibration"),
    ):
        with pytest.raises(ModelFileError, match=words):
            grade_study(study, LOCATIONS, [broken])
    with pytest.raises(ModelFileError, match="at least one member"):
        grade_study(study, LOCATIONS, [])


def test_a_prediction_set_is_what_reaches_the_floor_and_the_likeliest(study, members):
    canal = Condition.SPINAL_CANAL_STENOSIS.value
    for floor in (0.0, 0.25, 1.0):
        member = replace(members[0], calibration=NEUTRAL | {canal: Calibration(5.0, set_floor=floor).as_parameters()})
        for grade in grade_study(study, LOCATIONS, [member]):
            if grade.is_graded and grade.finding.condition.value == canal:
                values, likeliest = grade.probabilities.values, grade.probabilities.severity
                expected = tuple(severity for severity in SEVERITIES if values[severity] >= floor or severity is likeliest)
                assert grade.prediction_set == (expected if floor else ())
            else:
                assert grade.prediction_set == ()


def test_measurements_are_those_of_the_condition_and_members_that_differ_spread_them(study, members):
    both, *single = (grade_study(study, LOCATIONS, chosen) for chosen in (members, members[:1], members[1:]))
    for joined, first, second in zip(both, *single, strict=True):
        names = () if not joined.is_graded or joined.finding.condition is UNMEASURED else MEASURES[joined.finding.condition]
        assert tuple(joined.measurements) == names
        for name in names:
            one, other = first.measurements[name], second.measurements[name]
            assert joined.measurements[name].value == pytest.approx((one.value + other.value) / 2)
            variance = (one.spread**2 + other.spread**2) / 2 + (one.value - other.value) ** 2 / 4
            assert joined.measurements[name].spread == pytest.approx(variance**0.5)
            assert 0 < one.spread < 100


def test_what_network_and_measurement_say_alone_is_told_where_both_were_fitted(study, members):
    canal = Condition.SPINAL_CANAL_STENOSIS.value
    parts = {
        canal: Calibration(1.0, severe_openness=-2.0),
        f"{canal}:network": Calibration(1.0),
        f"{canal}:measured": Calibration(1e9, 0.5, -0.5, severe_openness=-3.0),
    }
    member = replace(members[0], calibration=NEUTRAL | {name: each.as_parameters() for name, each in parts.items()})
    readings = read_sites(study, sites_from_locations(LOCATIONS), member.networks)
    for grade in grade_study(study, LOCATIONS, [member]):
        if not grade.is_graded or grade.finding.condition.value != canal:
            assert grade.opinions == {}
            continue
        reading = readings[grade.finding]
        assert set(grade.opinions) == {"network", "measured"}
        expected = [each.probabilities(reading.logits, reading.openness).values for each in parts.values()]
        found = [grade.probabilities, grade.opinions["network"], grade.opinions["measured"]]
        np.testing.assert_allclose([each.values for each in found], expected, atol=1e-6)
        assert found[2].values == pytest.approx(
            parts[f"{canal}:measured"].probabilities(Logits(0, 0, 0), reading.openness).values, abs=1e-6
        )
