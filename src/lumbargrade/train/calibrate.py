"""Fitting a calibration on logits of studies that the network was not trained on."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from lumbargrade.grade import Calibration, Opinion
from lumbargrade.terms import SEVERITIES, Condition

DEAF = 1e9
"""The temperature of a calibration that takes no word from the network."""
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
OPENNESS_RANGE = (-8.0, 0.0)
"""Per unit of openness: a more open site is never likelier to be narrowed."""


def fit_calibration(logits: NDArray[np.float64], severities: NDArray[np.int64], openness: NDArray[np.float64] | None = None) -> Calibration:
    """The calibration with the smallest mean log loss, drawn towards neutral when samples are few.

    Args:
        logits: (n, 3) raw, from studies that were not trained on.
        openness: (n,) of the sites, to be given a say; None to give it none.
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
        scaled = _calibration(parameters).scaled(logits, openness)
        losses = np.logaddexp.reduce(scaled, axis=1) - scaled[np.arange(len(severities)), severities]
        return float(losses.mean() + PRIOR_SAMPLES * (parameters**2).sum() / len(severities))

    log_temperatures = (float(np.log(TEMPERATURE_RANGE[0])), float(np.log(TEMPERATURE_RANGE[1])))
    biases = [BIAS_RANGE if is_free else (0.0, 0.0) for is_free in free]
    slopes = [OPENNESS_RANGE if is_free and openness is not None else (0.0, 0.0) for is_free in free]
    fitted = _calibration(minimize(objective, np.zeros(5), method="L-BFGS-B", bounds=[log_temperatures, *biases, *slopes]).x)
    return replace(fitted, set_floor=fit_set_floor(fitted.probability_array(logits, openness), severities))


def fit_set_floor(probabilities: NDArray[np.float64], severities: NDArray[np.int64]) -> float:
    """The floor of prediction sets that hold the true severity of a further finding with a probability of at least nine tenths.

    Split conformal prediction with the least ambiguous sets (Sadinle, Lei and Wasserman, JASA 2019); 0 where samples are too few to say.
    """
    rank = int(np.floor(SET_MISSES * (len(severities) + 1) + 1e-9))
    of_truth = np.sort(probabilities[np.arange(len(severities)), severities])
    return float(of_truth[rank - 1]) if rank else 0.0


Samples = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]
"""(n, 3) logits, (n,) openness and (n,) severities."""


def fit_calibrations(held_out: Mapping[Condition, Samples]) -> dict[str, dict[str, float]]:
    """Per condition what a model's manifest stores as a member's calibration, of each ``Opinion``; neutral, and of both alone, without
    samples."""
    fitted: dict[str, dict[str, float]] = {}
    for condition in Condition:
        if condition not in held_out:
            fitted[condition.value] = Calibration().as_parameters()
            continue
        logits, openness, severities = held_out[condition]
        opinions = {
            Opinion.BOTH: fit_calibration(logits, severities, openness),
            Opinion.NETWORK: fit_calibration(logits, severities),
            Opinion.MEASURED: replace(fit_calibration(np.zeros_like(logits), severities, openness), temperature=DEAF),
        }
        fitted |= {f"{condition.value}{opinion.value}": calibration.as_parameters() for opinion, calibration in opinions.items()}
    return fitted


def _calibration(parameters: NDArray[np.float64]) -> Calibration:
    log_temperature, moderate_bias, severe_bias, moderate_openness, severe_openness = parameters.tolist()
    slopes = {"moderate_openness": moderate_openness, "severe_openness": severe_openness}
    return Calibration(float(np.exp(log_temperature)), moderate_bias, severe_bias, **slopes)
