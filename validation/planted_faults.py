"""A data set with one known fault a study, and whether ``lumbargrade check`` finds them all and invents none.

``python validation/planted_faults.py DATA_DIR --output out/planted [--clean DIR]``

DATA_DIR is what ``lumbargrade phantom`` wrote, of at least as many studies as there are faults; it is copied, never changed. Each fault is
planted in a study of its own, as the competition's data have them or as a bad copy makes them; the other studies stay as they are.
"""

import argparse
import csv
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from lumbargrade.check import KINDS, CheckOptions, CheckReport, Weight, check_data_set
from lumbargrade.competition import DataSet, Split, open_data_set

LABELS, MARKS, SERIES = "train.csv", "train_label_coordinates.csv", "train_series_descriptions.csv"
CANAL, RECESS, FORAMEN = "Spinal Canal Stenosis", "Subarticular Stenosis", "Neural Foraminal Narrowing"
Row = dict[str, str]


@dataclass
class Planter:
    """A copy of a data set that is being spoilt: its tables in memory, its files on disk."""

    data_set: DataSet
    tables: dict[str, list[Row]] = field(default_factory=dict)

    @classmethod
    def copy(cls, source: Path, target: Path) -> "Planter":
        shutil.copytree(source, target, copy_function=shutil.copyfile)
        planter = cls(open_data_set(target))
        for name in (LABELS, MARKS, SERIES):
            with (target / name).open(newline="") as file:
                planter.tables[name] = list(csv.DictReader(file))
        return planter

    def write(self) -> None:
        for name, rows in self.tables.items():
            with (self.data_set.root / name).open("w", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)

    def rows(self, name: str, study_id: int, **wanted: str) -> list[Row]:
        kept = [row for row in self.tables[name] if row["study_id"] == str(study_id)]
        return [row for row in kept if all(row[column].endswith(value) for column, value in wanted.items())]

    def drop(self, name: str, rows: list[Row]) -> None:
        self.tables[name] = [row for row in self.tables[name] if not any(row is each for each in rows)]

    def insert_after(self, name: str, row: Row, new: Row) -> None:
        place = next(index for index, each in enumerate(self.tables[name]) if each is row)
        self.tables[name].insert(place + 1, new)

    def series(self, study_id: int, description: str) -> int:
        return int(self.rows(SERIES, study_id, series_description=description)[0]["series_id"])

    def folder(self, study_id: int, description: str) -> Path:
        return self.data_set.study_folder(Split.TRAIN, study_id) / str(self.series(study_id, description))

    def files(self, study_id: int, description: str) -> list[Path]:
        return sorted(self.folder(study_id, description).iterdir(), key=lambda path: int(path.stem))

    def edit(self, path: Path, **elements: Any) -> None:
        dataset = pydicom.dcmread(path)
        for name, value in elements.items():
            if value is None:
                delattr(dataset, name)
            else:
                setattr(dataset, name, value)
        dataset.save_as(path)


T1, T2, AXIAL = "Sagittal T1", "Sagittal T2/STIR", "Axial T2"
Plant = Callable[[Planter, int], None]
PLANTS: dict[str, tuple[Plant, frozenset[str]]] = {}
"""By the code of the fault: how it is planted, and which others follow from it and are true as well."""


def plants(code: str, *also: str) -> Callable[[Plant], Plant]:
    def register(function: Plant) -> Plant:
        PLANTS[code] = function, frozenset(also)
        return function

    return register


@plants("spelling")
def _(planter: Planter, study: int) -> None:
    for row in planter.rows(SERIES, study):
        row["series_description"] = row["series_description"].lower()


@plants("value_unreadable", "label_without_coordinates")
def _(planter: Planter, study: int) -> None:
    planter.rows(MARKS, study)[0]["x"] = "nowhere"


@plants("study_repeated")
def _(planter: Planter, study: int) -> None:
    (row,) = planter.rows(LABELS, study)
    planter.insert_after(LABELS, row, dict(row))


@plants("series_repeated")
def _(planter: Planter, study: int) -> None:
    row = planter.rows(SERIES, study)[0]
    planter.insert_after(SERIES, row, dict(row))


@plants("row_repeated")
def _(planter: Planter, study: int) -> None:
    row = planter.rows(MARKS, study)[3]
    planter.insert_after(MARKS, row, dict(row))


@plants("finding_marked_twice")
def _(planter: Planter, study: int) -> None:
    row = planter.rows(MARKS, study)[3]
    planter.insert_after(MARKS, row, row | {"x": str(float(row["x"]) + 1)})


@plants("study_without_labels", "coordinates_of_unknown_study")
def _(planter: Planter, study: int) -> None:
    planter.drop(LABELS, planter.rows(LABELS, study))


@plants("coordinates_of_unknown_study", "images_without_study")
def _(planter: Planter, study: int) -> None:
    planter.drop(LABELS, planter.rows(LABELS, study))
    planter.drop(SERIES, planter.rows(SERIES, study))


@plants("study_without_series", "coordinates_of_unknown_series")
def _(planter: Planter, study: int) -> None:
    planter.drop(SERIES, planter.rows(SERIES, study))


@plants("coordinates_of_unknown_series", "instance_missing")
def _(planter: Planter, study: int) -> None:
    planter.rows(MARKS, study)[0]["series_id"] = "77"


@plants("label_without_coordinates")
def _(planter: Planter, study: int) -> None:
    planter.drop(MARKS, planter.rows(MARKS, study, condition=FORAMEN)[:1])


@plants("coordinates_without_label", "labels_missing")
def _(planter: Planter, study: int) -> None:
    planter.rows(LABELS, study)[0]["spinal_canal_stenosis_l3_l4"] = ""


@plants("study_without_images")
def _(planter: Planter, study: int) -> None:
    shutil.rmtree(planter.data_set.study_folder(Split.TRAIN, study))


@plants("images_without_study")
def _(planter: Planter, study: int) -> None:
    for name in (LABELS, SERIES, MARKS):
        planter.drop(name, planter.rows(name, study))


@plants("series_without_images", "missing_plane", "instance_missing")
def _(planter: Planter, study: int) -> None:
    shutil.rmtree(planter.folder(study, T1))


@plants("images_without_series", "numbering")
def _(planter: Planter, study: int) -> None:
    for path in planter.files(study, T2)[:6]:
        (target := path.parent.parent / "424242").mkdir(exist_ok=True)
        shutil.copyfile(path, target / path.name)


@plants("stray_file")
def _(planter: Planter, study: int) -> None:
    (planter.folder(study, T2) / "notes.txt").write_text("not a picture")


@plants("file_unreadable", "numbering", "instance_missing")
def _(planter: Planter, study: int) -> None:
    path = planter.files(study, T2)[-1]
    path.write_bytes(path.read_bytes()[:-3000])


@plants("file_misnumbered")
def _(planter: Planter, study: int) -> None:
    planter.edit(planter.files(study, T2)[0], InstanceNumber=731)


@plants("no_geometry")
def _(planter: Planter, study: int) -> None:
    planter.edit(planter.files(study, T2)[0], ImagePositionPatient=None)


@plants("mixed_shapes")
def _(planter: Planter, study: int) -> None:
    path = planter.files(study, T2)[0]
    dataset = pydicom.dcmread(path)
    pixels = dataset.pixel_array[:-16]
    dataset.Rows = len(pixels)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.PixelData = pixels.tobytes()
    dataset.save_as(path)


@plants("mixed_planes")
def _(planter: Planter, study: int) -> None:
    planter.edit(planter.files(study, T2)[0], ImageOrientationPatient=[1, 0, 0, 0, 1, 0])


@plants("several_patients")
def _(planter: Planter, study: int) -> None:
    for path in planter.files(study, T1):
        planter.edit(path, StudyInstanceUID="1.2.3.4")


@plants("instance_repeated")
def _(planter: Planter, study: int) -> None:
    first, second = planter.files(study, T2)[:2]
    planter.edit(second, SOPInstanceUID=pydicom.dcmread(first).SOPInstanceUID)


@plants("position_repeated")
def _(planter: Planter, study: int) -> None:
    first, second = planter.files(study, T2)[:2]
    planter.edit(second, ImagePositionPatient=pydicom.dcmread(first).ImagePositionPatient)


@plants("picture_repeated")
def _(planter: Planter, study: int) -> None:
    first, second = planter.files(study, T2)[:2]
    planter.edit(second, PixelData=pydicom.dcmread(first).PixelData)


@plants("series_copied", "several_series")
def _(planter: Planter, study: int) -> None:
    row = planter.rows(SERIES, study, series_description=T1)[0]
    folder = planter.folder(study, T1)
    shutil.copytree(folder, folder.parent / f"{row['series_id']}9")
    planter.insert_after(SERIES, row, row | {"series_id": f"{row['series_id']}9"})


@plants("plane_contradicts_table", "wrong_plane_marked", "several_series", "missing_plane")
def _(planter: Planter, study: int) -> None:
    planter.rows(SERIES, study, series_description=AXIAL)[0]["series_description"] = T1


@plants("missing_plane", "label_without_coordinates")
def _(planter: Planter, study: int) -> None:
    shutil.rmtree(planter.folder(study, T1))
    series = planter.series(study, T1)
    planter.drop(SERIES, planter.rows(SERIES, study, series_description=T1))
    planter.drop(MARKS, planter.rows(MARKS, study, series_id=str(series)))


@plants("series_apart", "level_off", "side_off_by_level", "off_middle")
def _(planter: Planter, study: int) -> None:
    """A cervical series in place of the lumbar one."""
    for path in planter.files(study, T2):
        position = [float(value) for value in pydicom.dcmread(path).ImagePositionPatient]
        planter.edit(path, ImagePositionPatient=[position[0], position[1], position[2] + 400])


@plants("not_lumbar", "picture_repeated")
def _(planter: Planter, study: int) -> None:
    """A test object's sagittal series: a bright disc on black."""
    for number, path in enumerate(planter.files(study, T2)):
        dataset = pydicom.dcmread(path)
        rows, columns = np.mgrid[: dataset.Rows, : dataset.Columns]
        inside = np.hypot(rows - dataset.Rows / 2, columns - dataset.Columns / 2) < dataset.Rows / 3
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        dataset.PixelData = (inside * 700 + number).astype(np.uint16).tobytes()
        dataset.save_as(path)


@plants("instance_missing")
def _(planter: Planter, study: int) -> None:
    planter.rows(MARKS, study)[0]["instance_number"] = "5049"


@plants("coordinates_outside")
def _(planter: Planter, study: int) -> None:
    planter.rows(MARKS, study)[0]["x"] = "2000"


@plants("wrong_plane_marked", "off_middle", "level_off", "side_off_by_level")
def _(planter: Planter, study: int) -> None:
    """Canal points on the T1, as five of the competition's."""
    row, foramen = planter.rows(MARKS, study, condition=CANAL)[0], planter.rows(MARKS, study, condition=FORAMEN)[0]
    row.update({"series_id": foramen["series_id"], "instance_number": foramen["instance_number"]})


@plants("sides_swapped")
def _(planter: Planter, study: int) -> None:
    for row in planter.rows(MARKS, study, condition=RECESS):
        row["condition"] = f"{'Right' if row['condition'].startswith('Left') else 'Left'} {RECESS}"


@plants("sides_overlap", "off_middle")
def _(planter: Planter, study: int) -> None:
    left, right = (planter.rows(MARKS, study, condition=f"{side} {FORAMEN}", level="L3/L4")[0] for side in ("Left", "Right"))
    left.update({name: right[name] for name in ("instance_number", "x", "y")})


@plants("levels_out_of_order", "level_off")
def _(planter: Planter, study: int) -> None:
    upper, lower = (planter.rows(MARKS, study, condition=f"Left {FORAMEN}", level=level)[0] for level in ("L2/L3", "L3/L4"))
    upper["level"], lower["level"] = lower["level"], upper["level"]


@plants("levels_overlap", "level_off")
def _(planter: Planter, study: int) -> None:
    upper, lower = (planter.rows(MARKS, study, condition=f"Left {FORAMEN}", level=level)[0] for level in ("L2/L3", "L3/L4"))
    lower.update({name: upper[name] for name in ("instance_number", "x", "y")})


@plants("side_off_by_level", "label_without_coordinates")
def _(planter: Planter, study: int) -> None:
    """The left foramina each named one level too high, as in 19 of the competition's studies; L5/S1 has no point left."""
    rows = sorted(planter.rows(MARKS, study, condition=f"Left {FORAMEN}"), key=lambda row: row["level"])
    for row, name in zip(rows[1:], [row["level"] for row in rows[:-1]], strict=True):
        row["level"] = name
    planter.drop(MARKS, rows[:1])


@plants("level_off", "levels_overlap", "levels_out_of_order")
def _(planter: Planter, study: int) -> None:
    upper, lower = (planter.rows(MARKS, study, condition=f"Right {FORAMEN}", level=level)[0] for level in ("L2/L3", "L3/L4"))
    upper["y"] = str(0.15 * float(upper["y"]) + 0.85 * float(lower["y"]))


@plants("off_middle", "sides_overlap")
def _(planter: Planter, study: int) -> None:
    """A foramen marked four slices off."""
    rows = planter.rows(MARKS, study, condition=f"Left {FORAMEN}", level="L3/L4")
    numbers = sorted(int(path.stem) for path in planter.files(study, T1))
    place = numbers.index(int(rows[0]["instance_number"]))
    rows[0]["instance_number"] = str(numbers[place + 4 if place < len(numbers) / 2 else place - 4])


@plants("study_unlabelled", "coordinates_without_label")
def _(planter: Planter, study: int) -> None:
    (row,) = planter.rows(LABELS, study)
    row.update(dict.fromkeys(list(row)[1:], ""))


@plants("numbering", "instance_missing")
def _(planter: Planter, study: int) -> None:
    """A file number that jumps, as 49 to 5049."""
    path = planter.files(study, T2)[-1]
    planter.edit(path, InstanceNumber=5049)
    path.rename(path.with_name("5049.dcm"))


def usable_studies(report: CheckReport) -> list[int]:
    """The studies in which nothing is found but notes, and that have what the plants need."""
    in_the_way = {"labels_missing", "several_series"}
    spoilt = {fault.study_id for fault in report.faults if fault.kind.weight is Weight.FAULT or fault.code in in_the_way}
    return [study_id for study_id in sorted(report.judged) if study_id not in spoilt]


def plant(source: Path, target: Path, report: CheckReport) -> dict[int, str]:
    """Copy a data set and plant every fault in a study of its own; returns which by study. ``report`` is that of the source."""
    planter = Planter.copy(source, target)
    studies = usable_studies(report)
    if len(studies) < len(PLANTS):
        raise SystemExit(f"{source}: {len(studies)} flawless studies; {len(PLANTS)} are needed")
    planted = {}
    for study_id, (code, (function, _)) in zip(studies, PLANTS.items(), strict=False):
        function(planter, study_id)
        planted[study_id] = code
    planter.write()
    return planted


def judge(report: CheckReport, before: CheckReport, planted: dict[int, str]) -> tuple[list[str], list[str]]:
    """What was planted and not found, and what was found that was neither there before nor planted nor follows from it."""
    told = {(fault.study_id, fault.code) for fault in report.faults}
    known = {(fault.study_id, fault.code) for fault in before.faults}
    missed = [f"study {study_id}: {code}" for study_id, code in planted.items() if (study_id, code) not in told]
    invented = []
    for study_id, code in sorted(told - known, key=str):
        own = planted.get(study_id) if study_id is not None else None
        if own is None or (code != own and code not in PLANTS[own][1]):
            invented.append(f"study {study_id} ({own or 'nothing planted'}): {code}")
    return missed, invented


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    before = check_data_set(options.data, CheckOptions(workers=options.workers))
    planted = plant(options.data, options.output, before)
    report = check_data_set(options.output, CheckOptions(workers=options.workers))
    missed, invented = judge(report, before, planted)
    faults = sum(KINDS[code].weight is Weight.FAULT for code in planted.values())
    print(f"{before.studies} studies before: {before.contradictions} faults {dict(before.counts)}")  # noqa: T201
    print(f"{faults} kinds of fault and {len(planted) - faults} of note planted: {len(missed)} missed {missed}")  # noqa: T201
    print(f"{len(invented)} invented {invented}")  # noqa: T201
    return 1 if missed or invented else 0


if __name__ == "__main__":
    raise SystemExit(main())
