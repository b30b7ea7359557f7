import math

import numpy as np
import pytest

from lumbargrade.errors import ModelFileError
from lumbargrade.grade import Calibration, Logits


def test_calibrated_probabilities_follow_the_formula_by_hand():
    found = Calibration(2.0, 0.5, -0.25).probabilities(Logits(1.0, 2.0, -1.0))
    powers = [math.exp(0.5), math.exp(1.5), math.exp(-0.75)]
    assert found.values == pytest.approx([power / sum(powers) for power in powers])


def test_adding_a_number_to_all_logits_changes_no_probability():
    calibration = Calibration(1.7, 0.3, 0.9)
    first = calibration.probabilities(Logits(0.1, -2.0, 3.0)).values
    assert calibration.probabilities(Logits(100.1, 98.0, 103.0)).values == pytest.approx(first)


def test_extreme_logits_still_give_probabilities():
    assert Calibration().probabilities(Logits(-2000.0, 0.0, 2000.0)).values == (0.0, 0.0, 1.0)


def test_a_calibration_survives_the_manifest():
    calibration = Calibration(1.3, -0.2, 0.4)
    assert Calibration.from_parameters(calibration.as_parameters()) == calibration


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"temperature": 1.0},
        {"temperature": 0.0, "moderate_bias": 0.0, "severe_bias": 0.0},
        {"temperature": math.nan, "moderate_bias": 0.0, "severe_bias": 0.0},
        {"temperature": 1.0, "moderate_bias": 0.0, "severe_bias": 0.0, "extra": 1.0},
    ],
)
def test_a_calibration_that_cannot_be_used_is_a_model_file_error(parameters):
    with pytest.raises(ModelFileError, match="calibration"):
        Calibration.from_parameters(parameters)


def test_logits_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="finite"):
        Logits(0.0, float(np.nan), 0.0)


def test_one_calibration_after_the_other_is_one_calibration():
    first, second = Calibration(1.7, 0.3, -0.9, 0.2), Calibration(0.8, -0.5, 0.4, 0.1)
    logits = np.random.default_rng(0).normal(size=(5, 3)) * 3
    both = second.probability_array(np.log(first.probability_array(logits)))
    np.testing.assert_allclose(first.then(second).probability_array(logits), both, rtol=1e-9)
    assert first.then(second).set_floor == 0.1


def test_a_calibration_without_prediction_sets_is_of_an_older_model():
    parameters = {"temperature": 2.0, "moderate_bias": 0.0, "severe_bias": 0.0}
    assert Calibration.from_parameters(parameters) == Calibration(2.0)
    with pytest.raises(ModelFileError, match="floor"):
        Calibration.from_parameters(parameters | {"set_floor": 1.5})
