"""Bounds on what a few hostile bytes make pydicom do: elements and items without end, character sets and values by the million.

pydicom makes an object of each of them and asks no one, so that a deflated file of 14 kB takes a minute and a gigabyte.
"""

from io import BytesIO
from typing import Any, BinaryIO, cast

from pydicom.dataelem import RawDataElement
from pydicom.filereader import read_sequence
from pydicom.hooks import raw_element_value

from lumbargrade.dicom import limits
from lumbargrade.errors import DicomError

_ELEMENT_HEAD = 8
_CHARACTER_SETS = (b"\x08\x00\x05\x00", b"\x00\x08\x00\x05")
_ITEMS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
_READS_OF_AN_ITEM = 8
"""An item becomes a data set, which takes so much more than an element."""
_OF_ANY_SIZE = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "UN", "SQ"))


class BoundedStream:
    """A stream from which pydicom reads no more elements than a picture may have."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._cost = 0
        self._head = b""
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1) -> bytes:
        """As of any stream.

        Raises:
            DicomError: more reads than ``MAX_READS``, more character sets than ``MAX_CHARACTER_SET_BYTES``, or all that is left at once, as
                pydicom does to inflate it without bound.
        """
        if self._cost > limits.MAX_READS:
            raise DicomError("more elements than a picture has")
        if size < 0:
            raise DicomError("deflated, which its file meta information does not say as it should")
        if size > limits.MAX_CHARACTER_SET_BYTES and self._head.startswith(_CHARACTER_SETS):
            raise DicomError(f"{size} bytes of character sets")
        found = self._stream.read(size)
        if size == _ELEMENT_HEAD:
            self._head = found
        self._cost += _READS_OF_AN_ITEM if found.startswith(_ITEMS) else 1
        return found


def bounded(stream: BinaryIO) -> BinaryIO:
    """The stream for pydicom, which asks of it no more than reading, seeking and telling."""
    return cast("BinaryIO", BoundedStream(stream))


def convert_bounded(raw: RawDataElement, data: dict[str, Any], *, encoding: Any = None, ds: Any = None, **kwargs: Any) -> None:
    """pydicom's hook for turning bytes into a value, for ``tolerant``.

    Raises:
        DicomError: a value longer than ``MAX_VALUE_BYTES``, or a sequence of more elements than ``BoundedStream`` reads.
    """
    if data["VR"] == "SQ" and isinstance(raw.value, bytes) and raw.value:
        stream = bounded(BytesIO(raw.value))
        data["value"] = read_sequence(
            stream, raw.is_implicit_VR, raw.is_little_endian, len(raw.value), encoding or "iso8859", raw.value_tell
        )
        return
    if data["VR"] not in _OF_ANY_SIZE and len(raw.value or b"") > limits.MAX_VALUE_BYTES:
        raise DicomError(f"an element of {len(raw.value or b'')} bytes where a few are needed")
    raw_element_value(raw, data, encoding=encoding, ds=ds, **kwargs)
