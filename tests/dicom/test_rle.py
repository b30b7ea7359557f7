"""RLE as we write it, read by pydicom's own decoder."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.pixels.decoders.rle import _rle_decode_frame

from lumbargrade.dicom.rle import encode_rle


def decoded(encoded: bytes, shape: tuple[int, int]) -> np.ndarray:
    return np.frombuffer(bytes(_rle_decode_frame(encoded, *shape, 1, 16)), "<u2").reshape(shape)


@given(st.integers(1, 5), st.integers(1, 300), st.integers(1, 4000), st.integers(1, 160), st.integers(0, 9))
def test_every_picture_comes_back(rows: int, columns: int, values: int, repeat: int, seed: int) -> None:
    few = np.random.default_rng(seed).integers(0, values, (rows, -(-columns // repeat)))
    picture = np.repeat(few, repeat, 1)[:, :columns].astype("<u2")
    encoded = encode_rle(picture)
    assert len(encoded) % 2 == 0
    np.testing.assert_array_equal(decoded(encoded, picture.shape), picture)


def test_negative_values_keep_their_bits() -> None:
    picture = np.array([[-1, -300, 5], [7, 7, 7]], np.int16)
    np.testing.assert_array_equal(decoded(encode_rle(picture), (2, 3)).view(np.int16), picture)


def test_every_row_is_packed_by_itself() -> None:
    one, two = (encode_rle(np.full((rows, 128), 9, np.uint16)) for rows in (1, 2))
    assert one[64:] == bytes([129, 0]) + bytes([129, 9])
    assert two[64:] == bytes([129, 0] * 2) + bytes([129, 9] * 2)


@pytest.mark.parametrize(("content", "at_most"), [("black", 0.05), ("noise", 1.02)])
def test_it_is_small_where_it_can_be(content: str, at_most: float) -> None:
    picture = np.zeros((256, 256), np.uint16) if content == "black" else np.random.default_rng(0).integers(0, 65536, (256, 256), np.uint16)
    assert len(encode_rle(picture)) < at_most * picture.nbytes
