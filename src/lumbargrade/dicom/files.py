"""Opening what a study consists of: plain files and members of zip archives, alike and within bounds."""

import stat
import zipfile
from contextlib import ExitStack
from dataclasses import dataclass
from io import BufferedReader, RawIOBase
from pathlib import Path
from types import TracebackType
from typing import cast

from lumbargrade.dicom import limits
from lumbargrade.errors import DicomError

_BUFFER_BYTES = 65536
_ZIP_MARK = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class FileReference:
    """A file on disk, or a member of a zip archive on disk.

    Attributes:
        path: the file or the archive.
        member: name inside the archive, None for a plain file.
        folder: name of the folder that the file lies in; the archive's name without ``.zip`` for a member at its top.
    """

    path: Path
    member: str | None
    folder: str


class FileStore:
    """Opens file references; an archive stays open until the store is closed, so that its directory is read once."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._archives: dict[Path, zipfile.ZipFile] = {}

    def __enter__(self) -> "FileStore":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open.close()

    def archive(self, path: Path) -> zipfile.ZipFile:
        """The archive, checked against the bounds when it is first opened.

        Raises:
            DicomError: not a readable archive, or one beyond the bounds.
        """
        if path not in self._archives:
            try:
                archive = self._open.enter_context(zipfile.ZipFile(path))
            except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
                raise DicomError(f"{path.name}: not a readable zip archive ({error})") from error
            _check_archive(path, archive.infolist())
            self._archives[path] = archive
        return self._archives[path]

    def stream(self, reference: FileReference) -> BufferedReader:
        """The file's bytes, for reading and seeking."""
        if reference.member is None:
            return reference.path.open("rb")
        return BufferedReader(cast("RawIOBase", self.archive(reference.path).open(reference.member)), _BUFFER_BYTES)

    def content(self, reference: FileReference) -> bytes:
        """All of the file's bytes.

        Raises:
            DicomError: larger than ``MAX_FILE_BYTES``.
        """
        with self.stream(reference) as stream:
            content = stream.read(limits.MAX_FILE_BYTES + 1)
        if len(content) > limits.MAX_FILE_BYTES:
            raise DicomError(f"larger than {limits.MAX_FILE_BYTES // limits.MEBIBYTE} MiB")
        return content


def is_regular_file(path: Path) -> bool:
    """Whether it is a file or a link to one, and no pipe or device that could block a reader."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether it is a folder or a link to one; a link that leads round in a circle is neither."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False


def is_zip(path: Path) -> bool:
    """Whether the first bytes are those of a zip archive."""
    with path.open("rb") as stream:
        return stream.read(len(_ZIP_MARK)) == _ZIP_MARK


def _check_archive(path: Path, members: list[zipfile.ZipInfo]) -> None:
    if len(members) > limits.MAX_ZIP_MEMBERS:
        raise DicomError(f"{path.name}: {len(members)} members; at most {limits.MAX_ZIP_MEMBERS} are read")
    total = sum(member.file_size for member in members)
    if total > limits.MAX_ZIP_TOTAL_BYTES:
        raise DicomError(f"{path.name}: inflates to {total} bytes; at most {limits.MAX_ZIP_TOTAL_BYTES} are read")
    for member in members:
        if member.flag_bits & 1:
            raise DicomError(f"{path.name}: encrypted; unpack it and give the folder")
        if member.file_size > max(limits.RATIO_FREE_BYTES, limits.MAX_ZIP_RATIO * member.compress_size):
            raise DicomError(f"{path.name}: a member inflates more than {limits.MAX_ZIP_RATIO}-fold; unpack it if you trust it")
