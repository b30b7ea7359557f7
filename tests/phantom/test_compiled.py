"""Compiling where nothing can be kept."""

from types import FunctionType

from lumbargrade.phantom.compiled import compiled


def plus_one(x: float) -> float:
    return x + 1


def test_a_function_without_a_place_to_keep_its_code_is_compiled_all_the_same() -> None:
    code = plus_one.__code__.replace(co_filename="/proc/no/such/file.py")
    homeless = FunctionType(code, {"__name__": "nowhere"}, "plus_one")
    assert compiled(homeless)(2.0) == 3.0
