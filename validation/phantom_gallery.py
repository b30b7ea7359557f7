"""Pictures of the phantom beside real ones: a page for the blind look, and the gallery of docs/phantom.md.

``blind``: 20 phantom and 20 SPIDER mid-sagittal T2 slices at one size in one random order; which is which is in a key beside the page.
``gallery``: sagittal T2 and T1, axial T2 at every level, a sweep of severity, and phantom slices beside SPIDER's.

Real: SPIDER (van der Graaf et al. 2024, doi 10.1038/s41597-024-03090-w, CC BY 4.0), patients with even number, 8-bit PNG, resized here.

    python validation/phantom_gallery.py [blind] [gallery] [--output DIR] [--spider ../shared/real/spider] [--seed 0]
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lumbargrade.phantom.patient import CONFIGS, Patient, make_patient
from lumbargrade.study import Series
from lumbargrade.terms import Condition, Laterality, SeriesRole, Severity

Grey = NDArray[np.uint8]
_SIDE, _PER_KIND, _PER_ROW = 320, 20, 8
_FIELD_MM = 260.0


def main() -> int:
    arguments = _parse()
    arguments.output.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(arguments.seed)
    figures: list[tuple[str, int, int]] = []
    if "blind" in arguments.pages:
        figures.append(_write_blind_page(arguments.output, arguments.spider, rng, 1000 * arguments.seed))
    if "gallery" in arguments.pages:
        figures.append(_write_gallery(arguments.output, arguments.spider, 1000 * arguments.seed))
    print("| page | pictures | target | |\n|---|---|---|---|")  # noqa: T201
    for name, count, target in figures:
        print(f"| {name} | {count} | {target} | {'pass' if count >= target else 'FAIL'} |")  # noqa: T201
    return 0 if all(count >= target for _, count, target in figures) else 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", choices=("blind", "gallery"), default=("blind", "gallery"))
    parser.add_argument("--output", type=Path, default=Path("gallery"))
    parser.add_argument("--spider", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "real" / "spider")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _write_blind_page(folder: Path, spider: Path, rng: np.random.Generator, first_seed: int) -> tuple[str, int, int]:
    """The page as PNG, and its key: place on the page, kind, which."""
    real = [("spider", name, picture) for name, picture in _spider_pictures(spider, "t2", rng, _PER_KIND)]
    phantom: list[tuple[str, str, Grey]] = []
    seed = first_seed
    while len(phantom) < _PER_KIND:
        picture = _middle_slice(make_patient(seed, CONFIGS["physics"][0]), SeriesRole.SAGITTAL_T2, "T2")
        if picture is not None:
            phantom.append(("phantom", str(seed), picture))
        seed += 1
    entries = real + phantom
    entries = [entries[index] for index in rng.permutation(len(entries))]
    _save(
        _page([[picture for _, _, picture in entries[start : start + _PER_ROW]] for start in range(0, len(entries), _PER_ROW)]),
        folder,
        "blind",
    )
    with (folder / "blind-key.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("row", "column", "kind", "which"))
        writer.writerows((place // _PER_ROW + 1, place % _PER_ROW + 1, kind, which) for place, (kind, which, _) in enumerate(entries))
    return "blind look", len(entries), 2 * _PER_KIND


def _write_gallery(folder: Path, spider: Path, first_seed: int) -> tuple[str, int, int]:
    """Four pictures for the documentation; the captions there must name SPIDER and its licence."""
    patients: list[Patient] = []
    seed = first_seed
    while len(patients) < 6:
        patient = make_patient(seed, CONFIGS["physics"][0])
        if {series.role for series in patient.study.series} >= {SeriesRole.SAGITTAL_T1, SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2}:
            patients.append(patient)
        seed += 1
    sagittal = [[_middle_slice(patient, role) for patient in patients[:4]] for role in (SeriesRole.SAGITTAL_T2, SeriesRole.SAGITTAL_T1)]
    pages: dict[str, list[list[Grey | None]]] = {
        "sagittal": sagittal,
        "axial": [_axial_slices(patient) for patient in patients[:3]],
        "severity": [_severity_sweep(first_seed)],
    }
    beside: list[Grey | None] = [picture for _, picture in _spider_pictures(spider, "t2", np.random.default_rng(first_seed), 4)]
    if beside:
        pages["beside-spider"] = [[_middle_slice(patient, SeriesRole.SAGITTAL_T2) for patient in patients[:4]], beside]
    for name, rows in pages.items():
        _save(_page(rows), folder, f"phantom-{name}")
    return "gallery", len(pages), 4


def _spider_pictures(spider: Path, weighting: str, rng: np.random.Generator, count: int) -> list[tuple[str, Grey]]:
    with (spider / "midsagittal.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["weighting"].lower() == weighting and int(row["patient"]) % 2 == 0]
    pictures = []
    for index in rng.permutation(len(rows))[:count]:
        row = rows[index]
        with Image.open(spider / "midsagittal" / row["file"]) as image:
            pixels = np.asarray(image.convert("L"), np.float64)
        pictures.append((row["file"], _framed(pixels, float(row["pixel_spacing_mm"]), float(row["pixel_spacing_mm"]))))
    return pictures


def _middle_slice(patient: Patient, role: SeriesRole, described: str = "") -> Grey | None:
    for series in patient.study.series:
        if series.role is role and described in series.description:
            instances = series.stacks[0].instances
            middle = instances[len(instances) // 2]
            return _framed(middle.pixels, middle.affine.row_spacing_mm, middle.affine.column_spacing_mm)
    return None


def _axial_slices(patient: Patient) -> list[Grey | None]:
    """The slices in which the subarticular zones of the five levels are marked, from L1/L2 down; None where there is none."""
    found: list[Grey | None] = []
    for truth in patient.truth:
        if truth.finding.condition is Condition.SUBARTICULAR_STENOSIS and truth.finding.laterality is Laterality.LEFT:
            landmark = patient.landmarks.get(truth.finding)
            found.append(None if landmark is None else _instance(patient.study.series[landmark.series_index], landmark.instance_number))
    return found


def _instance(series: Series, number: int) -> Grey:
    instance = next(each for each in series.instances if each.instance_number == number)
    return _framed(instance.pixels, instance.affine.row_spacing_mm, instance.affine.column_spacing_mm, 180.0)


def _severity_sweep(first_seed: int) -> list[Grey | None]:
    """Axial slices through L4/L5 of the first patients whose canal there is normal to mild, moderate and severe."""
    found: dict[Severity, Grey | None] = {}
    for seed in range(first_seed, first_seed + 60):
        patient = make_patient(seed, CONFIGS["physics"][0])
        canal = next(
            t for t in patient.truth if t.finding.condition is Condition.SPINAL_CANAL_STENOSIS and t.finding.level.value == "L4/L5"
        )
        picture = _axial_slices(patient)[3]
        if canal.severity not in found and picture is not None:
            found[canal.severity] = picture
        if len(found) == len(Severity):
            break
    return [found.get(severity) for severity in Severity]


def _framed(pixels: NDArray[np.floating], row_mm: float, column_mm: float, field_mm: float = _FIELD_MM) -> Grey:
    """The picture's middle ``field_mm`` at one size, windowed as a reader would: black to the 99.3rd percentile."""
    side = round(_SIDE * pixels.shape[1] * column_mm / field_mm), round(_SIDE * pixels.shape[0] * row_mm / field_mm)
    white = max(float(np.percentile(pixels, 99.3)), 1e-6)
    scaled = Image.fromarray(np.clip(pixels / white * 255, 0, 255).astype(np.uint8)).resize(side, Image.Resampling.BICUBIC)
    framed = Image.new("L", (_SIDE, _SIDE))
    framed.paste(scaled, ((_SIDE - side[0]) // 2, (_SIDE - side[1]) // 2))
    return np.asarray(framed)


def _page(rows: list[list[Grey | None]]) -> Grey:
    blank = np.zeros((_SIDE, _SIDE), np.uint8)
    width = max(map(len, rows))
    padded = [[blank if each is None else each for each in row] + [blank] * (width - len(row)) for row in rows]
    return np.vstack([np.hstack(row) for row in padded])


def _save(page: Grey, folder: Path, name: str) -> None:
    Image.fromarray(page).save(folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    sys.exit(main())
