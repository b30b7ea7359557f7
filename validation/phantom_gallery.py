"""Pictures of the phantom beside real ones: a page for the blind look, and the gallery of docs/phantom.md.

``blind``: 20 phantom and 20 SPIDER mid-sagittal T2 slices at one size in one random order; which is which is in a key beside the page.
``gallery``: sagittal T2, T1 and STIR with a slice through the foramina; axial T2 at five levels; one level from normal to severe for each
condition; phantom beside SPIDER; randomised and held-out families. Each picture is under 250 kB, all of them under 1.2 MB and 3 minutes.

Real: SPIDER (van der Graaf et al. 2024, doi 10.1038/s41597-024-03090-w, CC BY 4.0), patients with even number, 8-bit PNG, resized here.

    python validation/phantom_gallery.py [blind] [gallery] [--output DIR] [--spider ../shared/real/spider] [--seed 0]
"""

import argparse
import csv
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import count, islice
from pathlib import Path
from time import perf_counter

import numpy as np
from pages import Grey, framed, page, save
from PIL import Image

from lumbargrade.phantom.anatomy import sample_anatomy
from lumbargrade.phantom.measure import measure_geometry
from lumbargrade.phantom.patient import CONFIGS, Landmark, Patient, PhantomConfig, make_patient
from lumbargrade.phantom.sdf import Geometry
from lumbargrade.phantom.skeleton import stand_up
from lumbargrade.study import Instance
from lumbargrade.terms import LEVELS, Condition, Finding, Laterality, Level, SeriesRole, Severity

_PER_KIND, _PER_ROW, _BESIDE = 20, 8, 4
_SAGITTAL_MM, _AXIAL_MM, _CROP_MM = 260.0, 170.0, 80.0
_MOST_BYTES, _MOST_BYTES_TOGETHER, _MOST_SECONDS = 250_000, 1_200_000, 180.0
_SPIDER = "SPIDER (van der Graaf et al. 2024, doi 10.1038/s41597-024-03090-w, CC BY 4.0), resized and windowed"
_PHYSICS = CONFIGS["physics"][0]
_CANAL = Finding(Condition.SPINAL_CANAL_STENOSIS, None, Level.L4_L5)
_RECESS = Finding(Condition.SUBARTICULAR_STENOSIS, Laterality.LEFT, Level.L4_L5)
_FORAMEN = Finding(Condition.NEURAL_FORAMINAL_NARROWING, Laterality.LEFT, Level.L4_L5)


def main() -> int:
    """Write the pages and print the table; 1 where a page is too large or all took too long."""
    arguments = _parse()
    arguments.output.mkdir(parents=True, exist_ok=True)
    start, first = perf_counter(), 1000 * arguments.seed
    sizes: dict[str, int] = {}
    if "blind" in arguments.pages:
        sizes |= _write_blind_page(arguments.output, arguments.spider, np.random.default_rng(arguments.seed), first)
    blind_bytes = sum(sizes.values())
    if "gallery" in arguments.pages:
        for name, picture in _gallery(arguments.spider, first):
            sizes[name] = save(picture, arguments.output / f"phantom-{name}.jpg")
    seconds, together = perf_counter() - start, sum(sizes.values()) - blind_bytes
    rows = [
        (name, f"{size / 1000:.0f} kB", f"{_MOST_BYTES / 1000:.0f} kB", size <= _MOST_BYTES)
        for name, size in sizes.items()
        if name != "blind"
    ]
    rows.append(
        ("gallery together", f"{together / 1000:.0f} kB", f"{_MOST_BYTES_TOGETHER / 1000:.0f} kB", together <= _MOST_BYTES_TOGETHER)
    )
    rows.append(("time", f"{seconds:.0f} s", f"{_MOST_SECONDS:.0f} s", seconds <= _MOST_SECONDS))
    print("| page | measured | at most | |\n|---|---|---|---|")  # noqa: T201
    for what, measured, limit, passed in rows:
        print(f"| {what} | {measured} | {limit} | {'pass' if passed else 'FAIL'} |")  # noqa: T201
    return 0 if all(row[3] for row in rows) else 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", choices=("blind", "gallery"), default=("blind", "gallery"))
    parser.add_argument("--output", type=Path, default=Path("gallery"))
    parser.add_argument("--spider", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "real" / "spider")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _write_blind_page(folder: Path, spider: Path, rng: np.random.Generator, first_seed: int) -> dict[str, int]:
    """The page, and its key: place on the page, kind, which."""
    entries = [("spider", name, picture) for name, picture in _spider_pictures(spider, "t2", rng, _PER_KIND)]
    phantoms = ((str(seed), _middle(_patient(seed), "SAG T2")) for seed in count(first_seed))
    entries += [("phantom", which, picture) for which, picture in islice(((w, p) for w, p in phantoms if p is not None), _PER_KIND)]
    entries = [entries[index] for index in rng.permutation(len(entries))]
    rows = [[picture for _, _, picture in entries[start : start + _PER_ROW]] for start in range(0, len(entries), _PER_ROW)]
    with (folder / "blind-key.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("row", "column", "kind", "which"))
        writer.writerows((place // _PER_ROW + 1, place % _PER_ROW + 1, kind, which) for place, (kind, which, _) in enumerate(entries))
    return {"blind": save(page(rows, [""] * len(rows)), folder / "blind.jpg")}


def _gallery(spider: Path, first_seed: int) -> Iterator[tuple[str, Grey]]:
    """Name and picture of each page."""
    yield "sagittal", _sagittal_page(first_seed)
    yield "axial", _axial_page(first_seed)
    yield "severity", _severity_page(first_seed)
    if (spider / "midsagittal.csv").exists():
        yield "beside-spider", _beside_spider_page(spider, first_seed)
    yield "families", _families_page(first_seed)


def _sagittal_page(first_seed: int) -> Grey:
    """Two patients, each taken twice for the three contrasts, and through the foramina."""
    whole = replace(_PHYSICS.protocol, missing_series=0.0)
    rows = []
    for seed in count(first_seed):
        patient, again = (_patient(seed, replace(_PHYSICS, protocol=replace(whole, stir=stir))) for stir in (0.0, 1.0))
        landmark = patient.landmarks.get(_FORAMEN)
        middles = [_middle(patient, "SAG T2"), _middle(patient, "SAG T1"), _middle(again, "SAG STIR")]
        if landmark is not None and all(each is not None for each in middles):
            rows.append([*(each for each in middles if each is not None), _shown(_instance(patient, landmark), _SAGITTAL_MM)])
        if len(rows) == 2:
            break
    return page(rows, ["", "Two phantom patients: T2, T1 and STIR in the middle, T1 through the left foramina"])


def _axial_page(first_seed: int) -> Grey:
    """Two patients at five levels."""
    recesses = [Finding(Condition.SUBARTICULAR_STENOSIS, Laterality.LEFT, level) for level in LEVELS]
    rows: list[list[Grey]] = []
    for seed in count(first_seed):
        patient = _patient(seed)
        found = [patient.landmarks[finding] for finding in recesses if finding in patient.landmarks]
        if len(found) == len(LEVELS):
            rows.append([_shown(_instance(patient, landmark), _AXIAL_MM) for landmark in found])
        if len(rows) == 2:
            break
    return page(rows, ["", "Two phantom patients: axial T2 at L1/2 to L5/S1"])


def _severity_page(first_seed: int) -> Grey:
    """L4/5 from normal to severe (true grade): canal in axial and sagittal T2, left subarticular zone in axial T2, left foramen in T1."""
    shown = {_CANAL: (_CANAL, _RECESS), _RECESS: (_RECESS,), _FORAMEN: (_FORAMEN,)}
    columns = []
    for severity in Severity:
        patients = {finding: _first_patient(finding, severity, first_seed) for finding in shown}
        columns.append([_crop(patients[finding], site) for finding, sites in shown.items() for site in sites])
    captions = [
        "Spinal canal stenosis L4/5, sagittal T2: normal or mild, moderate, severe",
        "The same patients, axial T2",
        "Subarticular stenosis L4/5 left (right in the picture), axial T2: normal or mild, moderate, severe",
        "Neural foraminal narrowing L4/5 left, sagittal T1: normal or mild, moderate, severe",
    ]
    return page([list(row) for row in zip(*columns, strict=True)], captions)


def _first_patient(finding: Finding, severity: Severity, first_seed: int) -> Patient:
    """The first patient of that true severity whose series all reach the level; the bones alone are looked at until one has it."""
    for seed in count(first_seed):
        if _severities(seed)[finding] is severity:
            patient = _patient(seed)
            if all(site in patient.landmarks for site in (_CANAL, _RECESS, _FORAMEN)):
                return patient
    raise AssertionError("seeds do not end")


@lru_cache
def _severities(seed: int) -> dict[Finding, Severity]:
    """The true grades of the patient that ``make_patient`` makes of this seed, without the pictures."""
    skeleton = stand_up(sample_anatomy(np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0]), _PHYSICS.anatomy))
    return {truth.finding: truth.severity for truth in measure_geometry(skeleton, Geometry.of(skeleton))}


def _beside_spider_page(spider: Path, first_seed: int) -> Grey:
    both = replace(_PHYSICS, protocol=replace(_PHYSICS.protocol, stir=0.0, missing_series=0.0))
    patients = [_patient(seed, both) for seed in range(first_seed, first_seed + _BESIDE)]
    rows, captions = [], []
    for weighting in ("T2", "T1"):
        ours = [picture for each in patients if (picture := _middle(each, f"SAG {weighting}")) is not None]
        theirs = [picture for _, picture in _spider_pictures(spider, weighting.lower(), np.random.default_rng(first_seed), _BESIDE)]
        rows += [ours, theirs]
        captions += [f"Phantom, sagittal {weighting}", f"{_SPIDER}, sagittal {weighting}"]
    return page(rows, captions)


def _families_page(first_seed: int) -> Grey:
    rows, captions = [], []
    for name, caption in (("randomised", "Randomised, for training"), ("heldout-a", "Held out, A"), ("heldout-b", "Held out, B")):
        pictures: list[Grey] = []
        for seed in count(first_seed):
            patient = _patient(seed, CONFIGS[name][0])
            landmark = patient.landmarks.get(_RECESS)
            middle = _middle(patient, "SAG T2")
            if landmark is not None and middle is not None:
                pictures += [middle, _shown(_instance(patient, landmark), _AXIAL_MM)]
            if len(pictures) == 4:
                break
        rows.append(pictures)
        captions.append(f"{caption}: sagittal and axial T2 of two phantom patients")
    return page(rows, captions)


def _spider_pictures(spider: Path, weighting: str, rng: np.random.Generator, most: int) -> list[tuple[str, Grey]]:
    with (spider / "midsagittal.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["weighting"].lower() == weighting and int(row["patient"]) % 2 == 0]
    pictures = []
    for index in rng.permutation(len(rows))[:most]:
        row, pixel_mm = rows[index], float(rows[index]["pixel_spacing_mm"])
        with Image.open(spider / "midsagittal" / row["file"]) as image:
            pictures.append((row["file"], framed(np.asarray(image.convert("L"), np.float64), pixel_mm, pixel_mm, _SAGITTAL_MM)))
    return pictures


@lru_cache(maxsize=8)
def _patient(seed: int, config: PhantomConfig = _PHYSICS) -> Patient:
    return make_patient(seed, config, workers=2)


def _middle(patient: Patient, described: str) -> Grey | None:
    """The middle slice of the first series whose description begins so."""
    for series in patient.study.series:
        if series.description.startswith(described):
            instances = series.stacks[0].instances
            return _shown(instances[len(instances) // 2], _SAGITTAL_MM)
    return None


def _instance(patient: Patient, landmark: Landmark) -> Instance:
    series = patient.study.series[landmark.series_index]
    return next(each for each in series.instances if each.instance_number == landmark.instance_number)


def _shown(instance: Instance, field_mm: float, centre_px: tuple[float, float] | None = None) -> Grey:
    return framed(instance.pixels, instance.affine.row_spacing_mm, instance.affine.column_spacing_mm, field_mm, centre_px)


def _crop(patient: Patient, finding: Finding) -> Grey:
    """The surroundings of a site; an axial one around the middle between the two sides."""
    landmark = patient.landmarks[finding]
    instance, centre = _instance(patient, landmark), (landmark.column_px, landmark.row_px)
    opposite = replace(finding, laterality=Laterality.RIGHT) if finding.condition is Condition.SUBARTICULAR_STENOSIS else finding
    if opposite in patient.landmarks and patient.study.series[landmark.series_index].role is SeriesRole.AXIAL_T2:
        other = patient.landmarks[opposite]
        centre = ((centre[0] + other.column_px) / 2, (centre[1] + other.row_px) / 2)
    return _shown(instance, _CROP_MM, centre)


if __name__ == "__main__":
    sys.exit(main())
