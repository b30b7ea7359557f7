"""The 25 findings of a patient heard together: what is said of one finding is weighed against what is said of the others.

Grades are relative: a sac is narrow beside the patient's own open one, and neighbours, sides and zones of a level go together. The network
hears what was read at each site, not pictures; it knows a finding's condition and level, and of any other whether it is on the same side.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lumbargrade.grade.calibration import Logits
from lumbargrade.models import Network
from lumbargrade.terms import FINDING_INDEX, FINDINGS, SEVERITIES, Finding

CONTEXT = "context"
"""What the network is called in a model's manifest, which may lack it."""
READ_INPUT, GRADED_INPUT = "read", "graded"
"""(studies, 25, 3) what was read of each finding, ``centred``, 0 where there is nothing; and (studies, 25) 1 where there is something."""
CONTEXT_OUTPUT = "logits"
"""(studies, 25, 3)."""


def centred(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """(..., 3) logits with their mean taken off, which says nothing."""
    return np.asarray(logits - logits.mean(-1, keepdims=True))


def in_context(network: Network, read: Mapping[Finding, Logits]) -> dict[Finding, Logits]:
    """The logits of each finding of one study, given those that were read of it and of the others."""
    numbers, graded = np.zeros((1, len(FINDINGS), len(SEVERITIES)), np.float32), np.zeros((1, len(FINDINGS)), np.float32)
    for finding, logits in read.items():
        place = 0, FINDING_INDEX[finding]
        numbers[place], graded[place] = centred(np.array(logits.values, np.float32)), 1
    heard = network.run(**{READ_INPUT: numbers, GRADED_INPUT: graded})[CONTEXT_OUTPUT][0]
    return {finding: Logits(*heard[FINDING_INDEX[finding]].tolist()) for finding in read}
