"""How any file is spoilt: its bytes, without regard to what they mean.

A mutation takes a ``random.Random`` and gives the same for the same state of it.
"""

import random
import struct
from collections.abc import Callable, Sequence

Mutation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]
"""Takes randomness, the content, and other contents to splice in."""

NUMBERS = (0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)
LARGEST_BYTES = 1 << 20
"""Of a spoilt file; what mutations make larger is cut, so that no input takes long for its size alone."""


def spoilt(rng: random.Random, content: bytes, kinds: Sequence[Mutation], others: Sequence[bytes]) -> bytes:
    """One to five mutations of the given kinds, one most often."""
    for _ in range(min(1 + int(rng.expovariate(0.9)), 5)):
        content = rng.choice(kinds)(rng, content, others)[:LARGEST_BYTES]
    return content


def flip_bits(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.randint(1, 8) if changed else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwrite_run(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    at, run = _run(rng, content)
    return content[:at] + _filling(rng, run) + content[at + run :]


def insert_run(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    at, run = _run(rng, content)
    return content[:at] + _filling(rng, run) + content[at:]


def delete_run(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    at, run = _run(rng, content)
    return content[:at] + content[at + run :]


def duplicate_run(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    at, run = _run(rng, content)
    to = rng.randint(0, len(content))
    return content[:to] + content[at : at + run] * rng.choice((1, 1, 2, 50)) + content[to:]


def cut(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    return content[: rng.randint(0, len(content))]


def splice(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others)
    return content[: rng.randint(0, len(content))] + other[rng.randint(0, len(other)) :]


def write_number(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    return with_number(rng, content, rng.randint(0, len(content)))


BYTES: tuple[Mutation, ...] = (flip_bits, overwrite_run, insert_run, delete_run, duplicate_run, cut, splice, write_number)


def _run(rng: random.Random, content: bytes) -> tuple[int, int]:
    """Where a run begins, and its length: short ones are most frequent."""
    return rng.randint(0, len(content)), min(1 + int(rng.expovariate(1 / 12)), 4096)


def _filling(rng: random.Random, count: int) -> bytes:
    return rng.choice((rng.randbytes, bytes, lambda n: b"\xff" * n, lambda n: b"\x80" * n))(count)


def with_number(rng: random.Random, content: bytes, at: int, order: str = "<>") -> bytes:
    form = rng.choice(order) + rng.choice("HI")
    size = struct.calcsize(form)
    number = rng.choice(NUMBERS) + rng.choice((0, 0, 0, -1, 1))
    return content[:at] + struct.pack(form, number % 256**size) + content[at + size :]
