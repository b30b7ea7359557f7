"""How the phantom's functions are compiled, and when what was compiled is thrown away."""

from types import FunctionType

from lumbargrade.phantom.compiled import compiled, fingerprint, part_of_compiled

STEP = 1.0


def plus_one(x: float) -> float:
    return x + 1


@part_of_compiled
def one_step(x: float) -> float:
    return x + STEP


def two_steps(x: float) -> float:
    return float(one_step(one_step(x)))


def with_globals(function: FunctionType, **values: object) -> FunctionType:
    return FunctionType(function.__code__, {**function.__globals__, **values}, function.__name__)


def test_a_function_without_a_place_to_keep_its_code_is_compiled_all_the_same() -> None:
    code = plus_one.__code__.replace(co_filename="/proc/no/such/file.py")
    homeless = FunctionType(code, {"__name__": "nowhere"}, "plus_one")
    assert compiled(homeless)(2.0) == 3.0


def test_a_function_has_the_same_fingerprint_every_time() -> None:
    assert fingerprint(two_steps) == fingerprint(two_steps)


def test_a_change_in_a_part_or_in_its_constants_changes_the_fingerprint_of_the_entry() -> None:
    long_step = part_of_compiled(with_globals(one_step.py_func, STEP=2.0))
    other_part = part_of_compiled(plus_one)
    prints = {fingerprint(two_steps)} | {fingerprint(with_globals(two_steps, one_step=part)) for part in (long_step, other_part)}
    assert len(prints) == 3
