"""Millimetres and directions, in pure numpy: where a pixel lies in the patient and the way back.

Every 3-D point is LPS (+x the patient's left, +y posterior, +z head), millimetres, float64. A pixel position is (column, row) with (0, 0)
at the centre of the first pixel. This room never opens a file and knows no anatomy.
"""
