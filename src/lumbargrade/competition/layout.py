"""The folders and file names of a data set in the competition's layout.

::

    train.csv  train_label_coordinates.csv  train_series_descriptions.csv  test_series_descriptions.csv  sample_submission.csv
    train_images/<study_id>/<series_id>/<instance_number>.dcm
    test_images/<study_id>/<series_id>/<instance_number>.dcm
"""

import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from lumbargrade.competition.series import read_series_roles
from lumbargrade.errors import InputError

HELD_OUT_PREFIX = "heldout-"
"""How the names of phantom configurations begin that models are measured on and never learn from."""


class Split(Enum):
    """The two halves of a data set: with labels, and to be predicted."""

    TRAIN = "train"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set by its root folder. Paths are where a file belongs; only some of them need exist."""

    root: Path

    @property
    def labels_path(self) -> Path:
        return self.root / "train.csv"

    @property
    def coordinates_path(self) -> Path:
        return self.root / "train_label_coordinates.csv"

    @property
    def sample_submission_path(self) -> Path:
        return self.root / "sample_submission.csv"

    @property
    def train_images(self) -> Path:
        return self.images(Split.TRAIN)

    @property
    def test_images(self) -> Path:
        return self.images(Split.TEST)

    @property
    def phantom_mark(self) -> Path:
        """The file that says which phantom made the data set; patients' data sets have none."""
        return self.root / "phantom.json"

    def truth_path(self, study_id: int) -> Path:
        """What is true of a synthetic study; it need not exist."""
        return self.root / "truth" / str(study_id) / "truth.json"

    def known_truth(self, study_id: int) -> Path | None:
        """``truth_path`` of a phantom's study that has it; None for every other study."""
        path = self.truth_path(study_id)
        return path if self.phantom_mark.is_file() and path.is_file() else None

    def images(self, split: Split) -> Path:
        """The folder of study folders."""
        return self.root / f"{split.value}_images"

    def series_path(self, split: Split) -> Path:
        """The table of series descriptions."""
        return self.root / f"{split.value}_series_descriptions.csv"

    def study_ids(self, split: Split) -> tuple[int, ...]:
        """The studies of a split, ascending: those of the series table, or without one those that have a folder.

        Raises:
            InputError: neither names a study.
            TableError: the series table cannot be read.
        """
        if self.series_path(split).is_file():
            return tuple(sorted(read_series_roles(self.series_path(split))))
        folder = self.images(split)
        names = [entry.name for entry in folder.iterdir() if entry.is_dir()] if folder.is_dir() else []
        found = tuple(sorted(int(name) for name in names if name.isascii() and name.isdecimal() and str(int(name)) == name))
        if not found:
            raise InputError(
                f"{self.root}: no {split.value} studies; {self.series_path(split).name} or numbered folders in {folder.name}/ needed"
            )
        return found

    def study_folder(self, split: Split, study_id: int) -> Path:
        """The folder of a study's series; it need not exist."""
        return self.images(split) / str(study_id)


def open_data_set(path: Path) -> DataSet:
    """The data set in a folder.

    Raises:
        InputError: the path is no folder, or holds neither an image folder nor a table of series descriptions.
    """
    if not path.is_dir():
        raise InputError(f"{path}: {'not a folder' if path.exists() else 'no such folder'}; the root of a data set is needed")
    data_set = DataSet(path)
    if not any(data_set.images(split).is_dir() or data_set.series_path(split).is_file() for split in Split):
        needed = ", ".join(place.name for split in Split for place in (data_set.images(split), data_set.series_path(split)))
        raise InputError(f"{path}: not a data set in the competition's layout; one of {needed} is needed")
    return data_set


def held_out_phantom(data_set: DataSet) -> str | None:
    """The name of the held-out phantom configuration that the data set was made with; None for every other data set.

    Raises:
        InputError: the mark of a phantom that cannot be read.
    """
    if not data_set.phantom_mark.is_file():
        return None
    try:
        config = json.loads(data_set.phantom_mark.read_text(encoding="utf-8")).get("config")
    except (ValueError, AttributeError) as error:
        raise InputError(f"{data_set.phantom_mark}: not the mark of a phantom; delete it if the studies are patients") from error
    return config if isinstance(config, str) and config.startswith(HELD_OUT_PREFIX) else None
