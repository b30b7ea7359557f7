"""RLE as we write it, read by pydicom's own decoder and by the one in use."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.rle import _rle_decode_frame
from pydicom.uid import RLELossless

from lumbargrade.dicom.pixels import decode_frames
from lumbargrade.dicom.rle import encode_rle
from lumbargrade.dicom.tolerance import tolerant


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


def read_back(encoded: bytes, shape: tuple[int, int]) -> np.ndarray:
    """By the decoder in use."""
    dataset = Dataset()
    dataset.Rows, dataset.Columns = shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = RLELossless
    dataset.PixelData = encapsulate([encoded])
    dataset["PixelData"].VR = "OB"
    with tolerant():  # where packed and plain bytes happen to be as many, pydicom warns
        return decode_frames(dataset)[0]


@given(st.integers(1, 5), st.integers(1, 300), st.sampled_from([2, 0x81, 4000, 0x8081]), st.integers(1, 160), st.integers(0, 9))
def test_the_decoder_in_use_reads_what_pydicoms_reads(rows: int, columns: int, values: int, repeat: int, seed: int) -> None:
    few = np.random.default_rng(seed).integers(values - 2, values, (rows, -(-columns // repeat)))
    picture = np.repeat(few, repeat, 1)[:, :columns].astype("<u2")
    np.testing.assert_array_equal(read_back(encode_rle(picture), picture.shape), picture)


@pytest.mark.parametrize("cut", [2, 3, 10, 60, 127, 300])
def test_a_segment_whose_last_run_is_cut_off_raises_and_does_not_stop_the_program(cut: int) -> None:
    picture = np.random.default_rng(0).integers(0, 4096, (24, 20), np.uint16)
    with pytest.raises(RuntimeError, match="RLE segment"):
        read_back(encode_rle(picture)[:-cut], picture.shape)
