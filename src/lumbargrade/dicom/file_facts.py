"""What one DICOM file says of itself, without joining it to others: for checking data sets file by file."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from lumbargrade.dicom import limits
from lumbargrade.dicom.frames import read_frame_headers
from lumbargrade.dicom.parse import read_all, read_header
from lumbargrade.dicom.pixels import decode_frames, pixel_count
from lumbargrade.dicom.tolerance import tolerant
from lumbargrade.errors import DicomError
from lumbargrade.geometry.affine import SliceAffine

_TAGS = [
    *(0x0008_0018, 0x0020_000D, 0x0020_000E, 0x0020_0013, 0x0020_0032, 0x0020_0037, 0x0028_0010, 0x0028_0011, 0x0028_0030),
    *(0x0028_0008, 0x0028_1052, 0x0028_1053, 0x5200_9229, 0x5200_9230),
]


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One file.

    Attributes:
        study_instance_uid, sop_instance_uid: empty where the file lacks them.
        instance_number: DICOM's; None where there is none.
        shape: rows and columns; None where the file does not say.
        affine: where the first frame lies; None where it lies nowhere.
        picture: a digest of the decoded pixels, equal for equal pictures; empty where they were not decoded.
        error: why the file cannot be used, in one phrase that names no patient; None if it can.
    """

    study_instance_uid: str = ""
    sop_instance_uid: str = ""
    instance_number: int | None = None
    shape: tuple[int, int] | None = None
    affine: SliceAffine | None = None
    picture: str = ""
    error: str | None = None


def file_facts(path: Path, *, decode: bool) -> FileFacts:
    """Read a file within the room's bounds; a damaged one is told, not raised. Without ``decode`` its pixels are left alone."""
    try:
        with path.open("rb") as stream, tolerant():
            if not decode:
                return _facts(read_header(stream, list(_TAGS)), decode=False)
            content = stream.read(limits.MAX_FILE_BYTES + 1)
            if len(content) > limits.MAX_FILE_BYTES:
                raise DicomError(f"larger than {limits.MAX_FILE_BYTES // limits.MEBIBYTE} MiB")
            return _facts(read_all(content), decode=True)
    except DicomError as error:
        return FileFacts(error=str(error))
    except Exception as error:  # damaged bytes make pydicom and the decoders raise anything
        return FileFacts(error=f"not readable ({type(error).__name__})")


def _facts(dataset: Dataset, *, decode: bool) -> FileFacts:
    header = next(read_frame_headers(dataset), None)
    rows, columns = dataset.get("Rows"), dataset.get("Columns")
    if header is None or not rows or not columns:
        return FileFacts(error="not an image")
    pixel_count(dataset)
    picture = hashlib.sha256(decode_frames(dataset)[0].tobytes()).hexdigest() if decode else ""
    return FileFacts(
        str(dataset.get("StudyInstanceUID") or ""),
        str(dataset.get("SOPInstanceUID") or ""),
        header.instance_number,
        (int(rows), int(columns)),
        header.affine,
        picture,
    )
