"""How the phantom's functions are compiled, said once: fast mathematics, and division as in C."""

from collections.abc import Callable
from typing import Any

from numba import njit


def part_of_compiled(function: Callable[..., Any]) -> Any:
    """A function that compiled functions call."""
    return njit(fastmath=True, error_model="numpy")(function)


def compiled(function: Callable[..., Any]) -> Any:
    """An entry from Python: without the interpreter's lock, and kept for the next run where there is a folder to keep it in."""
    try:
        return njit(fastmath=True, error_model="numpy", nogil=True, cache=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's own can be written
        return njit(fastmath=True, error_model="numpy", nogil=True)(function)
