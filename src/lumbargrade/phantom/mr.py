"""How brightly water and fat of given relaxation times shine: the sequences of a lumbar protocol and their signal equations."""

from dataclasses import dataclass
from enum import Enum
from math import exp, log

import numpy as np

from lumbargrade.geometry.affine import FloatArray


class Weighting(Enum):
    """The three contrasts of a lumbar protocol."""

    T1 = "T1"
    T2 = "T2"
    STIR = "STIR"


class Readout(Enum):
    """How a sequence makes its echoes. The last two are taken of held-out studies only."""

    TURBO_SPIN_ECHO = "turbo spin echo"
    SPOILED_GRADIENT_ECHO = "spoiled gradient echo"
    BALANCED_STEADY_STATE = "balanced steady state"


@dataclass(frozen=True, slots=True)
class Sequence:
    """What a series is taken with.

    Attributes:
        field_tesla: of the scanner.
        repetition_ms, echo_ms: repetition time and effective echo time.
        inversion_ms: None without an inversion pulse.
        echo_train_length, echo_spacing_ms: of a turbo spin echo; their product is the train's duration.
        flip_deg: of the refocusing pulses in a turbo spin echo, of the excitation in the others.
        flips_back: what is left after the train is turned back along the field (RESTORE, FRFSE, DRIVE).
        bandwidth_hz_per_px: of the readout; how far fat is displaced follows from it.
        averages: of each line.
    """

    weighting: Weighting
    field_tesla: float
    repetition_ms: float
    echo_ms: float
    inversion_ms: float | None = None
    readout: Readout = Readout.TURBO_SPIN_ECHO
    echo_train_length: int = 1
    echo_spacing_ms: float = 0.0
    flip_deg: float = 180.0
    flips_back: bool = False
    bandwidth_hz_per_px: float = 200.0
    averages: int = 1

    @property
    def train_ms(self) -> float:
        return self.echo_train_length * self.echo_spacing_ms

    def signal(self, t1_ms: FloatArray, t2_ms: FloatArray, density: FloatArray) -> FloatArray:
        """Magnitude of tissues of the given relaxation times and proton density (water is 1)."""
        if self.readout is Readout.TURBO_SPIN_ECHO:
            return np.asarray(density * self._spin_echo(t1_ms, t2_ms))
        angle = np.deg2rad(self.flip_deg)
        e1, e2 = np.exp(-self.repetition_ms / t1_ms), np.exp(-self.repetition_ms / t2_ms)
        if self.readout is Readout.BALANCED_STEADY_STATE:
            steady = (1 - e1) / (1 - (e1 - e2) * np.cos(angle) - e1 * e2) * np.sqrt(e2)
        else:
            steady = (1 - e1) / (1 - np.cos(angle) * e1) * np.exp(-self.echo_ms / t2_ms)
        return np.asarray(density * np.sin(angle) * steady)

    def _spin_echo(self, t1_ms: FloatArray, t2_ms: FloatArray) -> FloatArray:
        """Recovery from the train's end to the next excitation, and decay with the T2 that stimulated echoes prolong."""
        stored = 0.25 * ((180 - self.flip_deg) / 60) ** 1.3
        apparent_t2_ms = 1 / ((1 - stored) / t2_ms + stored / np.maximum(t1_ms, t2_ms))
        left = np.exp(-(self.repetition_ms - self.train_ms) / t1_ms)
        recovered = 1 - left
        if self.inversion_ms is not None:
            recovered = np.abs(1 - 2 * np.exp(-self.inversion_ms / t1_ms) + left)
        if self.flips_back:
            recovered = recovered + np.exp(-self.train_ms / apparent_t2_ms) * left
        return np.asarray(recovered * np.exp(-self.echo_ms / apparent_t2_ms))


def null_inversion_ms(t1_ms: float, repetition_ms: float, train_ms: float) -> float:
    """The inversion time after which a tissue gives no signal: the root of ``Sequence``'s recovery for an inversion pulse."""
    return t1_ms * (log(2) - log(1 + exp(-(repetition_ms - train_ms) / t1_ms)))
