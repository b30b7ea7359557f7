"""Pictures that stay on disk until they are drawn, so that the memory of a training does not grow with its data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from lumbargrade.errors import InputError


@dataclass(frozen=True, slots=True)
class StoredPictures:
    """Equally shaped pictures of bytes in files; indexed as an array is along its first axis, which reads those rows alone.

    Attributes:
        shape: of one picture.
        places: for each picture the file, and the byte that it begins at.
    """

    shape: tuple[int, ...]
    places: tuple[tuple[Path, int], ...]

    @classmethod
    def in_file(cls, path: Path, offset: int, shape: Sequence[int]) -> "StoredPictures":
        """The pictures of an array of that shape, whose bytes lie in a file in C order from ``offset`` on."""
        size = int(np.prod(shape[1:]))
        return cls(tuple(shape[1:]), tuple((path, offset + index * size) for index in range(shape[0])))

    @classmethod
    def joined(cls, parts: Sequence["StoredPictures"]) -> "StoredPictures":
        """Several in order.

        Raises:
            ValueError: pictures of unequal shapes.
        """
        if len({part.shape for part in parts}) != 1:
            raise ValueError(f"pictures of shapes {sorted({part.shape for part in parts})} cannot be joined")
        return cls(parts[0].shape, tuple(place for part in parts for place in part.places))

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, chosen: int) -> NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, chosen: slice | NDArray[np.int64]) -> NDArray[np.uint8]: ...
    def __getitem__(self, chosen: int | slice | NDArray[np.int64]) -> NDArray[np.uint8]:
        """One picture, or several as an array of one more axis.

        Raises:
            InputError: a file does not hold them any more.
        """
        if isinstance(chosen, int | np.integer):
            return self._read(*self.places[chosen])
        indices = range(len(self))[chosen] if isinstance(chosen, slice) else chosen.tolist()
        found = np.empty((len(indices), *self.shape), np.uint8)
        for row, index in enumerate(indices):
            found[row] = self._read(*self.places[index])
        return found

    def _read(self, path: Path, offset: int) -> NDArray[np.uint8]:
        size = int(np.prod(self.shape))
        try:
            content = np.fromfile(path, np.uint8, size, offset=offset)
        except OSError as error:
            raise InputError(f"{path.name} of the cache cannot be read ({error.strerror}); delete the cache to prepare it anew") from error
        if content.size != size:
            raise InputError(f"{path.name} of the cache is cut off; delete the cache to prepare it anew")
        return content.reshape(self.shape)


Pictures = NDArray[np.uint8] | StoredPictures
"""In memory or on disk: either is indexed along its first axis."""


def join_pictures(parts: Sequence[Pictures]) -> Pictures:
    """Several in order; they stay on disk if all lie there."""
    stored = [part for part in parts if isinstance(part, StoredPictures)]
    if len(stored) == len(parts):
        return StoredPictures.joined(stored)
    return np.concatenate([part if isinstance(part, np.ndarray) else part[:] for part in parts])
