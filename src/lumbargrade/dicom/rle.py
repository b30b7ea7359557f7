"""DICOM RLE (PS3.5 annex G) of 16 bit pictures, written with whole-array operations."""

import struct

import numpy as np
from numpy.typing import NDArray

_LONGEST, _SHORTEST_REPEAT = 128, 3
_HEADER = struct.Struct("<16I")


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
