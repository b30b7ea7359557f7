"""What the bounds on reading cost: ``python validation/reading_cost.py STUDY_DIR [--rounds 15]``.

Bounded is reading as it is. Plain is the same with pydicom in the place of everything that bounds: files are read whole, parsed by
``dcmread``, and decoded in this process. The two take turns on the study as it is, and on it as JPEG 2000, which is decoded in a process of
its own. Beside them stands a bare loop of ``dcmread`` and ``pixel_array``, which knows nothing of studies, series, geometry and roles.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pydicom
from pydicom.pixels import compress, pixel_array
from pydicom.uid import JPEG2000Lossless

from lumbargrade.dicom import find_study, index, pixels, read, read_study
from lumbargrade.dicom.files import FileStore

UNBOUNDED = (
    (FileStore, "content", lambda self, reference: reference.path.read_bytes()),
    (read, "read_all", lambda content: pydicom.dcmread(BytesIO(content), force=True)),
    (index, "read_header", lambda stream, tags: pydicom.dcmread(stream, stop_before_pixels=True, force=True, specific_tags=tags)),
    (pixels, "decode_apart", lambda dataset: pixel_array(dataset, raw=True, decoding_plugin="pylibjpeg")),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    measure("as it is", options.study, options.rounds)
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(files_of(options.study)):
            dataset = pydicom.dcmread(path)
            dataset.decompress()
            compress(dataset, JPEG2000Lossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)
            dataset.save_as(Path(folder) / f"{number}.dcm")
        measure("as JPEG 2000", Path(folder), options.rounds)
    return 0


def files_of(study: Path) -> list[Path]:
    return sorted(path for path in study.rglob("*") if path.is_file())


def measure(name: str, study: Path, rounds: int) -> None:
    """Print the medians of wall time, and the median of the ratios of the turns with their quartiles."""
    reads = {"bounded": bounded, "plain": plain, "bare": bare}
    for each in reads.values():  # what is loaded once
        each(study)
    turns = [{each: seconds_of(lambda r=read_it: r(study)) for each, read_it in reads.items()} for _ in range(rounds)]
    for other in ("plain", "bare"):
        ratios = [turn["bounded"] / turn[other] for turn in turns]
        low, middle, high = statistics.quantiles(ratios, n=4)
        medians = " and ".join(f"{each} {1000 * statistics.median(turn[each] for turn in turns):.0f} ms" for each in ("bounded", other))
        print(f"{name}, {len(files_of(study))} files: {medians}; ratio {middle:.2f} ({low:.2f} to {high:.2f})")  # noqa: T201


def bounded(study: Path) -> None:
    read_study(find_study(study))


def plain(study: Path) -> None:
    with ExitStack() as stack:
        for place, attribute, replacement in UNBOUNDED:
            stack.enter_context(patch.object(place, attribute, replacement))
        read_study(find_study(study))


def bare(study: Path) -> list[np.ndarray]:
    return [pydicom.dcmread(path).pixel_array.astype(np.float32) for path in files_of(study)]


def seconds_of(read_it: Callable[[], object]) -> float:
    start = time.perf_counter()
    read_it()
    return time.perf_counter() - start


if __name__ == "__main__":
    raise SystemExit(main())
