"""From a network's raw logits, and the openness that was counted, to calibrated probabilities: a few numbers per condition.

``Logits`` and ``Probabilities`` are different types, so that neither can be taken for the other.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from lumbargrade.errors import ModelFileError
from lumbargrade.study import Probabilities

USUAL = 1.0
"""The openness of a site that is as bright as such sites usually are."""


class Opinion(Enum):
    """Whose word the probabilities are; the value is that of the key in a model's calibration, after the condition's."""

    BOTH = ""
    NETWORK = ":network"
    MEASURED = ":measured"


@dataclass(frozen=True, slots=True)
class Logits:
    """Raw network outputs of the three severities: unnormalised log probabilities, not calibrated.

    Raises:
        ValueError: a value that is not finite.
    """

    normal_mild: float
    moderate: float
    severe: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) for value in self.values):
            raise ValueError(f"logits must be finite, not {self.values}")

    @property
    def values(self) -> tuple[float, float, float]:
        return self.normal_mild, self.moderate, self.severe


@dataclass(frozen=True, slots=True)
class Calibration:
    """Temperature scaling with a bias per grade (Guo et al., ICML 2017, "vector scaling" with one common scale), and a say for openness.

    Attributes:
        temperature: logits are divided by it; above 1 softens.
        moderate_bias: added to the scaled moderate logit; the normal/mild one stays, since only differences count.
        severe_bias: the same for severe.
        moderate_openness, severe_openness: added for each unit by which a site is more open than usual.
        set_floor: severities at least as probable, and the likeliest, make up the prediction set; 0 where too little was known to say.

    Raises:
        ValueError: a number that is not finite, a temperature that is not positive, or a floor outside 0..1.
    """

    temperature: float = 1.0
    moderate_bias: float = 0.0
    severe_bias: float = 0.0
    set_floor: float = 0.0
    moderate_openness: float = 0.0
    severe_openness: float = 0.0

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) for value in asdict(self).values()) or self.temperature <= 0 or not 0 <= self.set_floor <= 1:
            raise ValueError(f"a calibration needs finite numbers, a positive temperature and a floor of 0 to 1, not {asdict(self)}")

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, float]) -> "Calibration":
        """The calibration stored in a model's manifest.

        Raises:
            ModelFileError: a parameter is missing, unknown or out of range.
        """
        names = {entry.name for entry in fields(cls)}
        if not names - {"set_floor", "moderate_openness", "severe_openness"} <= set(parameters) <= names:
            raise ModelFileError(f"a calibration has {', '.join(sorted(names))}; the model gives {', '.join(sorted(parameters)) or 'none'}")
        try:
            return cls(**{name: float(value) for name, value in parameters.items()})
        except (TypeError, ValueError) as error:
            raise ModelFileError(f"unusable calibration in the model: {error}") from error

    def then(self, other: "Calibration") -> "Calibration":
        """Both: ``other`` applied to the logarithms of this one's probabilities; the prediction sets are the other's."""
        return Calibration(
            self.temperature * other.temperature,
            self.moderate_bias / other.temperature + other.moderate_bias,
            self.severe_bias / other.temperature + other.severe_bias,
            other.set_floor,
            self.moderate_openness / other.temperature + other.moderate_openness,
            self.severe_openness / other.temperature + other.severe_openness,
        )

    def as_parameters(self) -> dict[str, float]:
        """What ``from_parameters`` reads, for a model's manifest."""
        return asdict(self)

    def probabilities(self, logits: Logits, openness: float = USUAL) -> Probabilities:
        """The calibrated probabilities of one finding."""
        normal_mild, moderate, severe = self.probability_array(np.array([logits.values]), np.array([openness]))[0].tolist()
        return Probabilities(normal_mild, moderate, severe)

    def scaled(self, logits: NDArray[np.float64], openness: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """(n, 3) raw logits, and (n,) how open each site is (None: as usual), to (n, 3) calibrated logits."""
        biases = np.array([0.0, self.moderate_bias, self.severe_bias])
        scaled = np.asarray(logits, np.float64) / self.temperature + biases
        if openness is None:
            return np.asarray(scaled)
        return np.asarray(scaled + (openness - USUAL)[:, None] * np.array([0.0, self.moderate_openness, self.severe_openness]))

    def probability_array(self, logits: NDArray[np.float64], openness: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """(n, 3) raw logits, and openness as in ``scaled``, to (n, 3) calibrated probabilities."""
        scaled = self.scaled(logits, openness)
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))
