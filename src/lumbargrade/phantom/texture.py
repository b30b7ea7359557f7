"""Smooth periodic noise: the grain of marrow, muscle and fat."""

from math import floor

import numpy as np
from numpy.typing import NDArray

from lumbargrade.phantom.compiled import part_of_compiled

_SIZE = 32


def sample_texture(rng: np.random.Generator) -> NDArray[np.float32]:
    """(32, 32, 32) periodic Gaussian noise smoothed by 0.7 voxels (in frequency), standard deviation one third."""
    frequency = np.fft.fftfreq(_SIZE)
    squared = frequency[:, None, None] ** 2 + frequency[None, :, None] ** 2 + frequency[None, None, :] ** 2
    noise = np.fft.ifftn(np.fft.fftn(rng.normal(size=(_SIZE,) * 3)) * np.exp(-2 * (np.pi * 0.7) ** 2 * squared)).real
    return np.asarray(noise / noise.std() * 0.33, np.float32)


@part_of_compiled
def noise(texture, x, y, z, frequency):  # type: ignore[no-untyped-def]
    """Trilinear look-up in the periodic texture, ``frequency`` voxels to a millimetre."""
    x, y, z = x * frequency, y * frequency, z * frequency
    i, j, k = floor(x), floor(y), floor(z)
    u, v, w = x - i, y - j, z - k
    i0, j0, k0 = int(i) & 31, int(j) & 31, int(k) & 31
    i1, j1, k1 = (i0 + 1) & 31, (j0 + 1) & 31, (k0 + 1) & 31
    low = (texture[i0, j0, k0] * (1 - u) + texture[i1, j0, k0] * u) * (1 - v) + (
        texture[i0, j1, k0] * (1 - u) + texture[i1, j1, k0] * u
    ) * v
    high = (texture[i0, j0, k1] * (1 - u) + texture[i1, j0, k1] * u) * (1 - v) + (
        texture[i0, j1, k1] * (1 - u) + texture[i1, j1, k1] * u
    ) * v
    return low * (1 - w) + high * w
