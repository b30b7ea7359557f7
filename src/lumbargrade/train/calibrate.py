"""Fitting a calibration on logits of studies that the network was not trained on."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from lumbargrade.grade import Calibration
from lumbargrade.terms import SEVERITIES, Condition

FEWEST_SAMPLES = 20
"""Below this the network's own probabilities are kept."""
FEWEST_PER_SEVERITY = 3
"""A bias is fitted only for a severity seen this often; the temperature alone otherwise."""
PRIOR_SAMPLES = 5.0
"""How many samples' worth of loss a parameter one unit from neutral (temperature 1, no bias) costs; fades as data grow."""
SET_MISSES = 0.1
"""How often a prediction set may miss the true severity."""
TEMPERATURE_RANGE = (0.4, 5.0)
BIAS_RANGE = (-3.0, 3.0)


def fit_calibration(logits: NDArray[np.float64], severities: NDArray[np.int64]) -> Calibration:
    """The temperature and biases with the smallest mean log loss, drawn towards neutral when samples are few.

    Args:
        logits: (n, 3) raw, from studies that were not trained on.
        severities: (n,) the value of ``Severity``.

    Raises:
        ValueError: arrays that do not match.
    """
    logits = np.asarray(logits, np.float64)
    if logits.shape != (len(severities), len(SEVERITIES)):
        raise ValueError(f"{len(severities)} severities need ({len(severities)}, 3) logits, not {logits.shape}")
    counts = np.bincount(severities, minlength=len(SEVERITIES))
    if len(severities) < FEWEST_SAMPLES or (counts > 0).sum() < 2:
        return Calibration()
    free = [count >= FEWEST_PER_SEVERITY and counts[0] >= FEWEST_PER_SEVERITY for count in counts[1:]]

    def objective(parameters: NDArray[np.float64]) -> float:
        scaled = _calibration(parameters).scaled(logits)
        losses = np.logaddexp.reduce(scaled, axis=1) - scaled[np.arange(len(severities)), severities]
        return float(losses.mean() + PRIOR_SAMPLES * (parameters**2).sum() / len(severities))

    log_temperatures = (float(np.log(TEMPERATURE_RANGE[0])), float(np.log(TEMPERATURE_RANGE[1])))
    bounds = [log_temperatures, *(BIAS_RANGE if is_free else (0.0, 0.0) for is_free in free)]
    fitted = _calibration(minimize(objective, np.zeros(3), method="L-BFGS-B", bounds=bounds).x)
    return replace(fitted, set_floor=fit_set_floor(fitted.probability_array(logits), severities))


def fit_set_floor(probabilities: NDArray[np.float64], severities: NDArray[np.int64]) -> float:
    """The floor of prediction sets that hold the true severity of a further finding with a probability of at least nine tenths.

    Split conformal prediction with the least ambiguous sets (Sadinle, Lei and Wasserman, JASA 2019); 0 where samples are too few to say.
    """
    rank = int(np.floor(SET_MISSES * (len(severities) + 1) + 1e-9))
    of_truth = np.sort(probabilities[np.arange(len(severities)), severities])
    return float(of_truth[rank - 1]) if rank else 0.0


def fit_calibrations(held_out: Mapping[Condition, tuple[NDArray[np.float64], NDArray[np.int64]]]) -> dict[str, dict[str, float]]:
    """Per condition (logits, severities) to what a model's manifest stores as a member's calibration."""
    return {
        condition.value: fit_calibration(*held_out[condition]).as_parameters() if condition in held_out else Calibration().as_parameters()
        for condition in Condition
    }


def _calibration(parameters: NDArray[np.float64]) -> Calibration:
    log_temperature, moderate_bias, severe_bias = parameters.tolist()
    return Calibration(float(np.exp(log_temperature)), moderate_bias, severe_bias)
