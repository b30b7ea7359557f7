"""Finds studies: which files are DICOM images, by content and not by name, and which of them belong together."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pydicom.uid import UID

from lumbargrade.dicom import limits
from lumbargrade.dicom.files import FileReference, FileStore, is_folder, is_regular_file, is_zip
from lumbargrade.dicom.parse import SNIFF_BYTES, has_mark, may_be_dicom, read_header
from lumbargrade.dicom.tolerance import tolerant
from lumbargrade.errors import DicomError
from lumbargrade.study import Problem

_HEADER_TAGS = [0x0008_0018, 0x0020_000D, 0x0020_000E, 0x0028_0010]


@dataclass(frozen=True, slots=True)
class StudySource:
    """Where one study lies.

    Attributes:
        folder: the name its results go under; unique among the sources found together.
        files: what to read, in natural order of their names.
        problems: what could not be looked into while searching.
        refusal: why nothing can be read from it (an archive that cannot be opened), None for a source that can be tried.
    """

    folder: str
    files: tuple[FileReference, ...]
    problems: tuple[Problem, ...] = ()
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """A file that is a DICOM image: its place as folder names below the root, and its identifiers (empty where the file lacks them)."""

    places: tuple[str, ...]
    reference: FileReference
    study: str
    instance: tuple[str, str]


def find_studies(path: Path) -> list[StudySource]:
    """The studies in a folder of any nesting, in a zip archive, or in a folder of archives.

    A place whose images share one StudyInstanceUID is one study, named after the place. Where there are several, each folder or archive
    directly inside is looked at by the same rule; one study spread over neighbouring folders stays one, and several studies mixed in one
    folder are told apart by UID and named ``name``, ``name-2``, ``name-3``.

    Raises:
        DicomError: no such path, or nothing in it that is a DICOM image.
    """
    if not path.exists():
        raise DicomError(f"{path}: no such file or folder; a folder of DICOM files or a .zip is needed")
    if not (is_folder(path) or is_regular_file(path)):
        raise DicomError(f"{path}: neither a file nor a folder; a folder of DICOM files or a .zip is needed")
    search = _Search()
    with tolerant():
        search.look(path)
    name = _name_of(path)
    sources = [StudySource(folder, tuple(found.reference for found in group)) for folder, group in _studies(search.found, name, 0)]
    sources += [StudySource(_stem(archive), (), refusal=reason) for archive, reason in search.refusals]
    if not sources:
        raise DicomError(f"{path}: {search.summary()}; a folder of DICOM images or a .zip is needed")
    problems = search.problems()
    names = unique_names([source.folder for source in sources])
    return [replace(source, folder=name, problems=problems) for name, source in zip(names, sources, strict=True)]


def find_study(folder: Path) -> StudySource:
    """All DICOM images below a folder as one study, where the folder says what belongs together, whatever the identifiers say.

    Raises:
        DicomError: no such folder, or nothing in it that can be read.
    """
    sources = find_studies(folder)
    readable = [source for source in sources if source.refusal is None]
    if not readable:
        raise DicomError(str(sources[0].refusal))
    return StudySource(_name_of(folder), tuple(file for source in readable for file in source.files), readable[0].problems)


_ARCHIVE_START = b"PK\x03\x04"


class _Search:
    """What has been seen so far."""

    def __init__(self) -> None:
        self.found: list[_Found] = []
        self.refusals: list[tuple[Path, str]] = []
        self.seen = self.not_images = self.unreadable = self.nested = 0

    def problems(self) -> tuple[Problem, ...]:
        """What was passed over and might have been part of a study."""
        found = []
        if self.unreadable:
            found.append(Problem("unreadable_file", f"{self.unreadable} file(s) could not be opened"))
        if self.nested:
            found.append(Problem("nested_archive", f"{self.nested} archive(s) inside an archive were not opened; unpack them first"))
        return tuple(found)

    def summary(self) -> str:
        if self.nested:
            return f"{self.nested} archive(s) inside an archive, which are not opened; unpack them first"
        if self.not_images:
            return f"DICOM in {self.not_images} of {self.seen} file(s), but no image"
        return f"{self.seen} file(s), no DICOM image among them" if self.seen else "empty"

    def look(self, root: Path) -> None:
        for file, places in _walk(root):
            try:
                with FileStore() as store:  # one for each file: thousands of archives must not stay open
                    self._look_at(file, places, root, store)
            except OSError:
                self.unreadable += 1
        self.found.sort(key=lambda found: _natural("/".join((*found.places, found.reference.member or found.reference.path.name))))

    def _look_at(self, file: Path, places: tuple[str, ...], root: Path, store: FileStore) -> None:
        if not is_zip(file):
            folder = places[-1] if places else _name_of(file.parent)
            self._consider(FileReference(file, None, folder), places, store)
            return
        try:
            names = [member.filename for member in store.archive(file).infolist()]
        except DicomError as error:
            self.seen += 1
            if file.suffix.lower() == ".zip":
                self.refusals.append((file, str(error)))
            return
        inside = () if file == root else (*places, _stem(file))
        for name in names:
            if name.endswith("/"):
                continue
            folders = PurePosixPath(name).parts[:-1][: limits.MAX_FOLDER_DEPTH]
            reference = FileReference(file, name, folders[-1] if folders else _stem(file))
            try:
                self._consider(reference, inside + folders, store)
            except Exception:  # damaged bytes make the archive's decompressors raise anything
                self.unreadable += 1

    def _consider(self, reference: FileReference, places: tuple[str, ...], store: FileStore) -> None:
        self.seen += 1
        with store.stream(reference) as stream:
            start = stream.read(SNIFF_BYTES)
            if reference.member is not None and start.startswith(_ARCHIVE_START):
                self.nested += 1
            if not may_be_dicom(start):
                return
            stream.seek(0)
            identifiers = _identifiers(stream, damaged_is_image=has_mark(start))
        if identifiers is None:
            self.not_images += has_mark(start)
            return
        instance, study, series = identifiers
        self.found.append(_Found(places, reference, study, (series, instance)))


def _identifiers(stream: BinaryIO, damaged_is_image: bool) -> list[str] | None:
    """SOP instance, study and series UID of an image, empty where the file does not say; None for what is no image.

    A file too damaged to tell counts as an image where it carries the mark, so that reading the study names it.
    """
    try:
        header = read_header(stream, list(_HEADER_TAGS))
        sop_class = UID(str(header.file_meta.get("MediaStorageSOPClassUID", "")))
        is_image = "Rows" in header or "Image Storage" in sop_class.name
        return [str(header[tag].value or "") if tag in header else "" for tag in _HEADER_TAGS[:3]] if is_image else None
    except Exception as error:  # damaged bytes make pydicom raise anything, an OSError without a number among it
        if isinstance(error, OSError) and error.errno is not None:
            raise
        return ["", "", ""] if damaged_is_image else None


def _walk(root: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Regular files below the root with the names of the folders between; links are followed, each folder is entered once."""
    if is_regular_file(root):
        yield root, ()
        return
    entered = set()
    pending: list[tuple[Path, tuple[str, ...]]] = [(root, ())]
    while pending:
        folder, places = pending.pop()
        try:
            status = folder.stat()
            entries = sorted(folder.iterdir())
        except OSError:
            yield folder, places  # opening a folder fails again where failures are counted
            continue
        if (status.st_dev, status.st_ino) in entered or len(places) > limits.MAX_FOLDER_DEPTH:
            continue
        entered.add((status.st_dev, status.st_ino))
        for entry in entries:
            if is_folder(entry):
                pending.append((entry, (*places, entry.name)))
            elif is_regular_file(entry):
                yield entry, places


def _studies(found: Sequence[_Found], name: str, depth: int) -> list[tuple[str, list[_Found]]]:
    """Groups of one study each with the name of the place, below a place ``depth`` levels under the root."""
    if len({item.study for item in found if item.study}) <= 1:
        return [(name, list(found))] if found else []
    children: dict[str, list[_Found]] = defaultdict(list)
    for item in found:
        children[item.places[depth] if len(item.places) > depth else ""].append(item)
    if set(children) == {""}:
        return [(name, group) for group in _by_study(found)]
    spread = _spread_studies(children)
    groups = [(name, group) for group in _by_study([item for item in found if item.study in spread])]
    for child, items in children.items():
        groups += _studies([item for item in items if item.study not in spread], child or name, depth + 1)
    return groups


def _spread_studies(children: dict[str, list[_Found]]) -> set[str]:
    """Studies whose different instances lie in several neighbouring folders of their own; copies of the same instances do not count."""
    folders: dict[str, list[set[tuple[str, str]]]] = defaultdict(list)
    for items in children.values():
        studies = {item.study for item in items}
        if len(studies) == 1:
            folders[studies.pop()].append({item.instance for item in items})
    return {study for study, parts in folders.items() if study and len(parts) > 1 and sum(map(len, parts)) == len(set().union(*parts))}


def _by_study(found: Sequence[_Found]) -> list[list[_Found]]:
    """Groups by StudyInstanceUID; files that lack one go with the first."""
    groups: dict[str, list[_Found]] = defaultdict(list)
    first = next((item.study for item in found if item.study), "")
    for item in found:
        groups[item.study or first].append(item)
    return list(groups.values())


def unique_names(names: Sequence[str]) -> list[str]:
    """The names in their order, repeated ones as ``name-2``, ``name-3``; names that differ in case alone count as repeated."""
    taken: set[str] = set()
    unique = []
    for name in names:
        candidate, number = name, 1
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{name}-{number}"
        taken.add(candidate.casefold())
        unique.append(candidate)
    return unique


def _name_of(path: Path) -> str:
    return _stem(path.resolve()) or "study"


def _stem(path: Path) -> str:
    return path.stem if path.suffix.lower() == ".zip" else path.name


def _natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key under which 2.dcm comes before 10.dcm; numbers are compared by length and digits, since Python bounds an int of text."""
    parts = re.split(r"([0-9]+)", text)
    return tuple((0, len(part.lstrip("0")), part.lstrip("0")) if part.isdigit() else (1, 0, part) for part in parts)
