"""The folder of prepared studies, so that training opens no DICOM and may run again and again.

A study is two files: ``<study_id>.pictures`` are the bytes of its pictures, one array after the other, and ``<study_id>.npz`` says what and
where they are, and what is known of them. Pictures are read when they are drawn, the rest is held in memory.
"""

import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lumbargrade.errors import UsageError
from lumbargrade.grade.recipe import NETWORK_NAMES, RECIPES
from lumbargrade.localise import LOCALISER
from lumbargrade.terms import Condition
from lumbargrade.train.grader_samples import GraderSamples
from lumbargrade.train.localiser_samples import LocaliserSample
from lumbargrade.train.stored_pictures import Pictures, StoredPictures

MARK = "cache.json"
SCHEMA = "lumbargrade/cache/6"
"""Counted up whenever preparation changes, so that no run learns from what an older version prepared."""

Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class StudyCache:
    """Prepared studies by id. A study is there if the file that ``path`` names is, which is written last."""

    folder: Path

    def path(self, study_id: int) -> Path:
        return self.folder / f"{study_id}.npz"

    def write(self, study_id: int, localiser: LocaliserSample | None, graders: Mapping[Condition, GraderSamples]) -> None:
        """Store one study; ``localiser`` is None where no sagittal slice can teach."""
        known: Arrays = {}
        pictures: dict[str, Pictures] = {}
        if localiser is not None:
            known |= {f"{LOCALISER}_{field.name}": getattr(localiser, field.name) for field in fields(localiser) if field.name != "slices"}
            pictures[f"{LOCALISER}_slices"] = localiser.slices
        for condition, samples in graders.items():
            name = NETWORK_NAMES[condition]
            known |= {f"{name}_{key}": array for key, array in _grader_arrays(samples).items()}
            crops = zip(RECIPES[condition], samples.crops, strict=True)
            pictures |= {f"{name}_crops_{recipe.input_name}": array for recipe, array in crops}
        with self._whole(self._pictures_path(study_id)) as file:
            for name, array in pictures.items():
                known[name] = np.array([file.tell(), *np.shape(array[:])])
                file.write(np.ascontiguousarray(array[:], np.uint8).tobytes())
        with self._whole(self.path(study_id)) as file:
            np.savez_compressed(file, allow_pickle=False, **known)

    def localiser_samples(self, study_ids: Iterable[int]) -> list[LocaliserSample]:
        """The sagittal slices of the studies that have any; about 50 KB a study in memory."""
        return [sample for study_id in study_ids if (sample := self._localiser_sample(study_id)) is not None]

    def grader_samples(self, condition: Condition, study_ids: Iterable[int]) -> GraderSamples:
        """The labelled crops of one condition."""
        return GraderSamples.joined([self._grader_samples(condition, study_id) for study_id in study_ids])

    def lacking(self, study_ids: Iterable[int], networks: Collection[str]) -> dict[str, str]:
        """Of some networks those that have nothing to learn from in these studies, and what they lack."""
        counts: Counter[str] = Counter()
        for study_id in study_ids:
            with np.load(self.path(study_id), allow_pickle=False) as stored:
                counts[LOCALISER] += "localiser_labelled" in stored.files
                counts.update({name: len(stored[f"{name}_severities"]) for name in NETWORK_NAMES.values()})
        found = {} if counts[LOCALISER] else {LOCALISER: "a sagittal series with labelled points"}
        found |= {
            name: f"2 labelled sites of {condition.value} with a picture" for condition, name in NETWORK_NAMES.items() if counts[name] < 2
        }
        return {name: reason for name, reason in found.items() if name in networks}

    def _localiser_sample(self, study_id: int) -> LocaliserSample | None:
        arrays: dict[str, Any] = {**self._arrays(study_id, f"{LOCALISER}_")}
        return LocaliserSample(slices=self._pictures(study_id, arrays.pop("slices")), **arrays) if arrays else None

    def _grader_samples(self, condition: Condition, study_id: int) -> GraderSamples:
        arrays = self._arrays(study_id, f"{NETWORK_NAMES[condition]}_")
        crops = tuple(self._pictures(study_id, arrays[f"crops_{recipe.input_name}"]) for recipe in RECIPES[condition])
        return GraderSamples(
            condition,
            crops,
            np.asarray(arrays["present"], np.bool_),
            np.asarray(arrays["severities"], np.int64),
            np.asarray(arrays["targets"], np.float32),
            np.asarray(arrays["measures"], np.float32),
            np.asarray(arrays["finding_indices"], np.int64),
        )

    def _pictures_path(self, study_id: int) -> Path:
        return self.folder / f"{study_id}.pictures"

    def _pictures(self, study_id: int, place: NDArray[np.generic]) -> StoredPictures:
        offset, *shape = np.asarray(place, np.int64).tolist()
        return StoredPictures.in_file(self._pictures_path(study_id), offset, shape)

    @contextmanager
    def _whole(self, path: Path) -> Iterator[BinaryIO]:
        """A file that takes its place once all is written."""
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")  # two runs may share the cache
        with partial.open("wb") as file:
            yield file
        partial.replace(path)

    def _arrays(self, study_id: int, prefix: str) -> Arrays:
        with np.load(self.path(study_id), allow_pickle=False) as stored:
            return {name.removeprefix(prefix): stored[name] for name in stored.files if name.startswith(prefix)}


def open_cache(folder: Path, fingerprint: str) -> StudyCache:
    """The cache in a folder, made if it is not there.

    Raises:
        UsageError: the folder holds another data set's studies, or an older version's.
    """
    mark = folder / MARK
    wanted = {"schema": SCHEMA, "data_fingerprint": fingerprint}
    if mark.is_file():
        if mark.read_text() != json.dumps(wanted):
            raise UsageError(f"{folder}: prepared from other data or by another version; delete it or choose another --cache")
        return StudyCache(folder)
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / (MARK + ".partial")
    partial.write_text(json.dumps(wanted))
    partial.replace(mark)
    return StudyCache(folder)


def _grader_arrays(samples: GraderSamples) -> Arrays:
    known = {"targets": samples.targets, "measures": samples.measures}
    small = {"severities": samples.severities.astype(np.uint8), "finding_indices": samples.finding_indices.astype(np.uint8)}
    return {"present": samples.present, **known, **small}
