"""Values as DICOM elements hold them: decimal strings, identifiers, and choices that follow from an identifier."""

import re
import uuid

import numpy as np
from pydicom.uid import UID

from lumbargrade.geometry.affine import FloatArray

_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")


def oid(identifier: str) -> UID:
    """The identifier itself where it is a valid UID, else a UID derived from it (PS3.5 B.2: 2.25 and a UUID)."""
    if len(identifier) <= 64 and _OID.fullmatch(identifier):
        return UID(identifier)
    return UID(f"2.25.{number_of(identifier)}")


def number_of(text: str) -> int:
    """A number of 128 bits that follows from a text, the same in every process."""
    return uuid.uuid5(uuid.NAMESPACE_OID, text).int


def share_of(text: str) -> float:
    """A number from 0 to 1 that follows from a text: where it is below p for a share p of texts something is done."""
    return number_of(text) / 2**128


def decimal(value: float) -> str:
    """At most 16 characters, as a DS value has (PS3.5 6.2), with all the digits that fit."""
    for digits in range(15, 0, -1):
        text = f"{float(value):.{digits}g}"
        if len(text) <= 16:
            return text
    raise ValueError(f"{value!r} has no decimal string of 16 characters")


def decimals(values: FloatArray) -> list[str]:
    """A decimal string for each number."""
    return [decimal(value) for value in np.asarray(values, np.float64).tolist()]
