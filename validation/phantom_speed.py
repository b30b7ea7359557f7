"""How long a phantom study takes: a full one of 15 + 15 + 30 slices of 320 x 320 made and written, and the crops of one level alone.

Everything is compiled before the clock starts. Each figure is the median of repeats with the range; memory is the peak of the process and
of its largest worker. ``python validation/phantom_speed.py [--repeats N] [--workers N]``.
"""

import argparse
import hashlib
import platform
import resource
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from lumbargrade.dicom import HeaderProfile, write_series
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.geometry.orientation import AnatomicalPlane
from lumbargrade.phantom.anatomy import sample_anatomy
from lumbargrade.phantom.measure import measure_findings
from lumbargrade.phantom.mr import Weighting
from lumbargrade.phantom.patient import CONFIGS, make_patient, take_series
from lumbargrade.phantom.protocol import Scan, plan_study
from lumbargrade.phantom.render import Plane
from lumbargrade.phantom.scanner import Scanner, sample_scanner
from lumbargrade.phantom.scene import Scene, build_scene
from lumbargrade.study import Instance, Series, SeriesTiming, Stack
from lumbargrade.synthesis import write_data_set
from lumbargrade.terms import FINDINGS, LEVELS, Condition

CONFIG = CONFIGS["physics"][0]
SAGITTALS, AXIALS, SIDE = 15, 30, 320
STUDY_LIMIT_S, CROPS_LIMIT_S, MEMORY_LIMIT_MB = 1.5, 0.1, 1024
CROP_SLICES, SAGITTAL_MM, AXIAL_MM = 3, 72, 80
"""What training cuts its crops from; axials hold the canal's and both recesses'."""


def resized(scan: Scan, count: int) -> Scan:
    """The scan with ``count`` slices of 320 x 320 over the same field of view."""
    picked = [scan.planes[index] for index in np.linspace(0, len(scan.planes) - 1, count).round().astype(int)]
    return replace(scan, planes=tuple(enlarged(plane) for plane in picked), instance_numbers=tuple(range(1, count + 1)))


def enlarged(plane: Plane) -> Plane:
    """The same field of view, squared and cut into 320 x 320 pixels."""
    affine = plane.affine
    spacing_mm = max(plane.rows * affine.row_spacing_mm, plane.columns * affine.column_spacing_mm) / SIDE
    affine = replace(affine, row_spacing_mm=spacing_mm, column_spacing_mm=spacing_mm)
    return Plane(affine, SIDE, SIDE, plane.thickness_mm)


@dataclass(frozen=True)
class Drawn:
    """A patient before the scan, and the (25, 3) sites of their findings."""

    scene: Scene
    scanner: Scanner
    scans: tuple[Scan, ...]
    sites_mm: FloatArray


def draw(seed: int) -> Drawn:
    rng = np.random.default_rng(seed)
    scene = build_scene(sample_anatomy(rng, CONFIG.anatomy), rng, CONFIG.clutter)
    scanner = sample_scanner(CONFIG.contrast, rng)
    protocol = replace(CONFIG.protocol, own_t1_planes=0.0, split_axials=0.0, short_axials=0.0)
    sites_mm = np.stack([truth.point_mm for truth in measure_findings(scene)])
    return Drawn(scene, scanner, plan_study(scene.skeleton, scanner, protocol, rng), sites_mm)


def make_full_study(seed: int, folder: Path, workers: int) -> int:
    """Draw, measure, render and write one study; returns how many pictures it has."""
    drawn = draw(seed)
    rng, pictures = np.random.default_rng(seed), 0
    for number, scan in enumerate(drawn.scans):
        full = resized(scan, AXIALS if scan.plane is AnatomicalPlane.AXIAL else SAGITTALS)
        for weighting, shot in zip(
            full.weightings, take_series(drawn.scene, full, drawn.scanner, CONFIG.contrast, rng, workers), strict=True
        ):
            instances = [
                Instance(f"1.2.{n}", n, plane.affine, image)
                for n, plane, image in zip(full.instance_numbers, full.planes, shot[2], strict=True)
            ]
            name = f"{number}{weighting.value}"
            series = Series(
                name, name, weighting.value, SeriesTiming(None, None), full.role(weighting), "made so", (Stack.ordered(instances),)
            )
            write_series(folder / str(seed) / name, "1.2.3", series, HeaderProfile.COMPETITION)
            pictures += len(instances)
    return pictures


def make_level_crops(drawn: Drawn, level: int, workers: int) -> int:
    """Render three slices around what a level's graders see; returns how many slices. Both sides' recesses share theirs, of the axials."""
    rng, slices = np.random.default_rng(level), 0
    for finding, site_mm in zip(FINDINGS, drawn.sites_mm, strict=True):
        if finding.level is LEVELS[level] and finding.condition is not Condition.SUBARTICULAR_STENOSIS:
            is_canal = finding.condition is Condition.SPINAL_CANAL_STENOSIS
            for scan in drawn.scans if is_canal else drawn.scans[:1]:
                weightings = tuple(each for each in scan.weightings if (each is Weighting.T1) != is_canal)
                size_mm = AXIAL_MM if scan.plane is AnatomicalPlane.AXIAL else SAGITTAL_MM
                window = replace(scan.around(site_mm, CROP_SLICES, size_mm), weightings=weightings)
                slices += sum(len(shot[2]) for shot in take_series(drawn.scene, window, drawn.scanner, CONFIG.contrast, rng, workers))
    return slices


def timed(action: Callable[[], object]) -> float:
    start = perf_counter()
    action()
    return perf_counter() - start


def peak_mb() -> float:
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    make_patient(0, CONFIG)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = make_full_study(0, folder, options.workers)
        studies = [timed(lambda seed=seed: make_full_study(seed, folder, options.workers)) for seed in range(1, options.repeats + 1)]
        drawn = draw(1)
        crops = make_level_crops(drawn, 3, options.workers)
        levels = [timed(lambda level=level: make_level_crops(drawn, level, options.workers)) for level in range(5) for _ in range(3)]
        write_data_set(folder / "one", 3, 5, "mixed", 1)
        write_data_set(folder / "many", 3, 5, "mixed", 3)
        same = digests(folder / "one") == digests(folder / "many")
    rows = [
        (
            f"study of {pictures} slices, made and written",
            f"{median(studies):.2f} s ({min(studies):.2f}-{max(studies):.2f})",
            f"{STUDY_LIMIT_S} s",
            median(studies) <= STUDY_LIMIT_S,
        ),
        (
            f"{crops} slices cut for one level's crops",
            f"{median(levels):.3f} s ({min(levels):.3f}-{max(levels):.3f})",
            f"{CROPS_LIMIT_S} s",
            median(levels) <= CROPS_LIMIT_S,
        ),
        ("peak memory", f"{peak_mb():.0f} MB", f"{MEMORY_LIMIT_MB} MB", peak_mb() < MEMORY_LIMIT_MB),
        ("files of 1 process and of 3", "identical" if same else "different", "identical", same),
    ]
    print(f"{platform.processor() or platform.machine()}, {options.workers} threads, {options.repeats} repeats\n")  # noqa: T201
    print("| what | measured | at most | met |\n|---|---|---|---|")  # noqa: T201
    for what, measured, limit, met in rows:
        print(f"| {what} | {measured} | {limit} | {'yes' if met else 'no'} |")  # noqa: T201
    return 0 if all(row[3] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
