"""How the phantom's functions are compiled, said once: fast mathematics, division as in C, and machine code kept for the next run."""

import hashlib
from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core.dispatcher import Dispatcher

_jit: Any = njit
"""Its types do not know all of its options."""


def part_of_compiled(function: Callable[..., Any]) -> Any:
    """A function that compiled functions alone call: without the wrappers for Python, which take a fifth of the time to compile."""
    return _jit(fastmath=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)


def compiled(function: Callable[..., Any]) -> Any:
    """An entry from Python: without the interpreter's lock, and kept for the next run where there is a folder to keep it in."""
    try:
        entry = _jit(fastmath=True, error_model="numpy", nogil=True, cache=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's own can be written
        return _jit(fastmath=True, error_model="numpy", nogil=True)(function)
    # numba compares the entry's own file alone and would run old machine code after a change to a part in another file
    entry._cache._cache_file._source_stamp = fingerprint(function)
    return entry


def is_kept(entry: Any) -> bool:
    """Whether an earlier run has kept this entry's machine code; also where there is no folder to keep it in, and no use in trying."""
    file = getattr(entry._cache, "_cache_file", None)
    return file is None or bool(file._load_index())


def fingerprint(function: Callable[..., Any]) -> str:
    """What the machine code of an entry depends on: its instructions and constants, and those of all parts that it reaches."""
    digest, pending, seen = hashlib.sha256(), [function], set()
    while pending:
        each = pending.pop()
        if each in seen:
            continue
        seen.add(each)
        code = each.__code__
        digest.update(repr((code.co_name, code.co_varnames, code.co_names, code.co_consts)).encode() + code.co_code)
        for name in code.co_names:
            value = each.__globals__.get(name)
            if isinstance(value, Dispatcher):
                pending.append(value.py_func)
            elif isinstance(value, int | float | tuple):
                digest.update(repr((name, value)).encode())
    return digest.hexdigest()
