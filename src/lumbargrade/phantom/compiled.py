"""The one way in which the phantom's entry points are compiled."""

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Machine code without the interpreter's lock, kept for the next run where there is a folder to keep it in."""
    try:
        return njit(fastmath=True, error_model="numpy", nogil=True, cache=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's own can be written
        return njit(fastmath=True, error_model="numpy", nogil=True)(function)
