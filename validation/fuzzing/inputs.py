"""One input after the other: a few files of the corpus, put together and spoilt, the same for the same seed and index."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from fuzzing.archive import ARCHIVE, packed_archive
from fuzzing.corpus import Corpus
from fuzzing.dicom import DICOM, inside_dicom
from fuzzing.octets import BYTES, spoilt
from fuzzing.table import TABLE

COMMAND_EVERY, INSPECT_EVERY = 100, 10
"""So many inputs apart the command line itself gets one to grade or score, or to inspect."""
_SPINES = 0.7
"""Share of the folders to be graded that hold a whole spine."""


class Kind(Enum):
    """What the command line is given."""

    FOLDER = "folder of DICOM files"
    SPINE = "folder of a whole study"
    ARCHIVE = "zip archive"
    TABLES = "tables"


@dataclass(frozen=True, slots=True)
class FuzzInput:
    """One input.

    Attributes:
        index: its number, which decides what it is and which commands get it.
        files: contents by name, folders divided by slashes.
        spoilt: the names of the files that are not as they were.
    """

    index: int
    kind: Kind
    files: Mapping[str, bytes]
    spoilt: tuple[str, ...]

    @property
    def is_for_commands(self) -> bool:
        return self.index % COMMAND_EVERY == 0

    @property
    def is_for_inspect(self) -> bool:
        return self.index % INSPECT_EVERY == 5

    def write(self, folder: Path) -> None:
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def make_input(corpus: Corpus, seed: int, index: int) -> FuzzInput:
    """The input of a number."""
    rng = random.Random(f"{seed} {index}")
    kind = rng.choices((Kind.FOLDER, Kind.ARCHIVE, Kind.TABLES), (6, 2, 2))[0]
    if kind is Kind.TABLES:
        return _tables(rng, corpus, index)
    if kind is Kind.ARCHIVE:
        return _archive(rng, corpus, index)
    if index % COMMAND_EVERY == 0 and corpus.spine and rng.random() < _SPINES:
        return _spine(rng, corpus, index)
    names = [rng.choice(("{}.dcm", "{}.dcm", "a/{}.dcm", "b/c/{}", "IM{}")).format(number) for number in range(9)]
    contents, changed = _spoilt_images(rng, corpus)
    return FuzzInput(index, Kind.FOLDER, dict(zip(names, contents, strict=False)), tuple(names[number] for number in changed))


def _images(rng: random.Random, corpus: Corpus) -> list[bytes]:
    """A series most often, two, or a loose file."""
    if rng.random() < 0.25:
        return [rng.choice(corpus.loose)]
    return [content for _ in range(rng.choice((1, 1, 2))) for content in rng.choice(corpus.series)]


def _spoilt_images(rng: random.Random, corpus: Corpus) -> tuple[list[bytes], list[int]]:
    """Files, all spoilt alike or some each in its own way, and the numbers of those that are."""
    contents, others = _images(rng, corpus), corpus.images
    if rng.random() < 0.35:
        state = rng.random()
        return [spoilt(random.Random(state), content, DICOM, others) for content in contents], list(range(len(contents)))
    changed = [number for number in range(len(contents)) if rng.random() < 0.6] or [0]
    for number in changed:
        contents[number] = spoilt(rng, contents[number], DICOM, others)
    return contents, changed


def _spine(rng: random.Random, corpus: Corpus, index: int) -> FuzzInput:
    """A study whose elements are changed in a few files or, alike, in many."""
    contents = list(corpus.spine)
    changed = sorted(rng.sample(range(len(contents)), rng.choice((1, 3, len(contents) // 2, len(contents)))))
    state = rng.random()
    for number in changed:
        contents[number] = spoilt(random.Random(state), contents[number], (inside_dicom,), corpus.images)
    names = [f"{number}.dcm" for number in range(len(contents))]
    return FuzzInput(index, Kind.SPINE, dict(zip(names, contents, strict=True)), tuple(names[number] for number in changed))


def _archive(rng: random.Random, corpus: Corpus, index: int) -> FuzzInput:
    """Good files in a spoilt archive, spoilt files in a good one, or both spoilt."""
    contents = _images(rng, corpus)
    if rng.random() < 0.4:
        contents, _ = _spoilt_images(rng, corpus)
    content = packed_archive(rng, contents)
    if rng.random() < 0.85:
        content = spoilt(rng, content, ARCHIVE, (*corpus.loose[:20], content))
    return FuzzInput(index, Kind.ARCHIVE, {"study.zip": content}, ("study.zip",))


def _tables(rng: random.Random, corpus: Corpus, index: int) -> FuzzInput:
    """A whole set of tables of which one or two are spoilt."""
    files = dict(corpus.tables)
    changed = rng.sample(sorted(files), rng.choice((1, 1, 1, 2)))
    others: Sequence[bytes] = tuple(corpus.tables.values())
    for name in changed:
        files[name] = spoilt(rng, files[name], TABLE if rng.random() < 0.9 else BYTES, others)
    return FuzzInput(index, Kind.TABLES, files, tuple(changed))
