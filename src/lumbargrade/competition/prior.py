"""How often each severity occurs, for findings of a submission that could not be graded."""

import numpy as np

from lumbargrade.geometry.affine import FloatArray

_PER_CENT = (
    # canal
    ((95.5, 3.4, 1.1), (89.7, 7.6, 2.7), (82.2, 11.7, 6.2), (75.1, 12.0, 12.9), (96.5, 2.6, 1.0)),
    # left and right foramen
    ((96.7, 3.2, 0.1), (90.8, 8.7, 0.6), (77.1, 20.8, 2.0), (61.0, 31.9, 7.1), (63.2, 26.4, 10.4)),
    ((96.1, 3.2, 0.7), (91.2, 8.5, 0.3), (76.9, 21.0, 2.1), (61.4, 32.0, 6.6), (65.1, 25.2, 9.7)),
    # left and right subarticular zone
    ((93.3, 5.1, 1.5), (82.1, 13.5, 4.4), (67.1, 23.0, 9.8), (45.0, 31.6, 23.4), (71.7, 20.8, 7.5)),
    ((92.6, 6.1, 1.3), (83.3, 12.8, 3.9), (67.0, 23.0, 10.0), (45.2, 31.5, 23.3), (71.1, 20.1, 8.8)),
)


def _column_prior() -> FloatArray:
    frequencies = np.array(_PER_CENT, np.float64).reshape(-1, 3)
    frequencies /= frequencies.sum(1, keepdims=True)
    frequencies.flags.writeable = False
    return frequencies


COLUMN_PRIOR: FloatArray = _column_prior()
"""(25, 3) frequencies of the severities in the order of ``FINDINGS``; each row sums to one. Not metric-tilted.

Source: severity counts of the RSNA 2024 training labels (data set: LumbarDISC; Richards et al., Radiology: Artificial Intelligence
2026;8(2):e250480) as published by participants, per cent to one decimal, empty labels left out.
"""
