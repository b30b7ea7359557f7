"""The shapes that a phantom is made of: compiled signed distance functions, each in the frame of its vertebra or disc.

Points are sorted out by a shape's distance at the middle of a group of them (``sdf``), so far from a shape its function returns a lower
bound of the distance, never a mere "far".
"""
