"""What can be wrong with a data set: the closed list of kinds, and one fault with its place."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from lumbargrade.terms import Finding


class Weight(Enum):
    """Whether something contradicts itself, or is only good to know."""

    FAULT = "fault"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Kind:
    """A rule. ``code`` is stable; ``meaning`` is one sentence for people."""

    code: str
    weight: Weight
    meaning: str


@dataclass(frozen=True, slots=True)
class Fault:
    """One case of a kind.

    Attributes:
        detail: what was found, in one phrase that can stand alone after the place.
        table, line: the table's file name and the line in it, where a cell is meant.
        study_id, series_id, instance_number, finding: the place, as far as it is known.
    """

    code: str
    detail: str
    table: str | None = None
    line: int | None = None
    study_id: int | None = None
    series_id: int | None = None
    instance_number: int | None = None
    finding: Finding | None = None

    def __post_init__(self) -> None:
        if self.code not in KINDS:
            raise ValueError(f"{self.code}: no such kind of fault")

    @property
    def kind(self) -> Kind:
        return KINDS[self.code]

    @property
    def place(self) -> str:
        """``train.csv line 7, study 12, series 3, instance 4, left subarticular stenosis L4/L5``, as far as it is known."""
        named = [("study", self.study_id), ("series", self.series_id), ("instance", self.instance_number)]
        parts = [f"{self.table} line {self.line}" if self.line else self.table] if self.table else []
        parts += [f"{name} {number}" for name, number in named if number is not None]
        return ", ".join([*parts, *([str(self.finding)] if self.finding else [])])

    def as_json(self) -> dict[str, Any]:
        """For programs; absent parts of the place are null."""
        finding = self.finding
        return {
            "code": self.code,
            "weight": self.kind.weight.value,
            "detail": self.detail,
            "table": self.table,
            "line": self.line,
            "study_id": self.study_id,
            "series_id": self.series_id,
            "instance_number": self.instance_number,
            "condition": finding and finding.condition.value,
            "laterality": finding and finding.laterality and finding.laterality.value,
            "level": finding and finding.level.value,
        }


def _kinds(weight: Weight, meanings: dict[str, str]) -> dict[str, Kind]:
    return {code: Kind(code, weight, meaning) for code, meaning in meanings.items()}


KINDS: dict[str, Kind] = _kinds(
    Weight.FAULT,
    {
        "table_missing": "a table that the layout has is not there",
        "table_unreadable": "a table cannot be read at all",
        "column_missing": "a column is missing",
        "column_unknown": "a column that the layout does not have",
        "spelling": "a name or a value is spelled otherwise than the competition does",
        "value_unreadable": "a cell that means nothing in its column",
        "study_repeated": "a study has several rows of labels",
        "series_repeated": "a series is listed several times",
        "row_repeated": "a row of coordinates stands there twice",
        "finding_marked_twice": "a finding has coordinates in two places",
        "study_without_labels": "a study has series but no row of labels",
        "study_without_series": "a study has labels but no series in the table",
        "coordinates_of_unknown_study": "coordinates of a study that has no labels",
        "coordinates_of_unknown_series": "coordinates on a series that the table does not give the study",
        "label_without_coordinates": "a finding is labelled but marked nowhere",
        "coordinates_without_label": "a finding is marked but not labelled",
        "study_without_images": "a study of the tables has no images",
        "images_without_study": "images of a study that no table names",
        "series_without_images": "a series of the table has no images",
        "images_without_series": "images of a series that the table does not name",
        "stray_file": "a file that is not named as an instance",
        "file_unreadable": "a file that is no usable image",
        "file_misnumbered": "a file whose InstanceNumber is not its name",
        "no_geometry": "an image that does not say where in the patient it lies",
        "mixed_shapes": "a series with pictures of several shapes",
        "mixed_planes": "a series with pictures in several planes",
        "several_patients": "a study whose files belong to several studies",
        "instance_repeated": "files of a series share a SOPInstanceUID",
        "position_repeated": "pictures of a series lie in the same place",
        "picture_repeated": "the same picture lies in several places",
        "series_copied": "two series of a study hold the same pictures",
        "plane_contradicts_table": "a series whose plane is not what the table says",
        "missing_plane": "a study without a series of one of the three kinds",
        "series_apart": "a sagittal series that shows another part of the body than the study's others",
        "not_lumbar": "a sagittal series in which no lumbar spine can be found",
        "instance_missing": "coordinates on an instance that is not there",
        "coordinates_outside": "coordinates outside their picture",
        "wrong_plane_marked": "a finding marked in a plane or a series that does not show it",
        "sides_swapped": "left is marked on the patient's right and right on the left",
        "sides_overlap": "left and right are marked in the same place",
        "levels_out_of_order": "a lower level is marked above a higher one",
        "levels_overlap": "two levels are marked in the same place",
        "side_off_by_level": "the points of one side lie one level off the others",
        "level_off": "one point lies at another level than its name says",
        "off_middle": "a point too near to the middle of the spine for its finding, or too far from it",
        "submission_rows": "the sample submission does not have 25 rows for each test study",
    },
) | _kinds(
    Weight.NOTE,
    {
        "study_unlabelled": "a study without a single label",
        "labels_missing": "a study with some labels missing",
        "numbering": "instances are not numbered from 1 on without gaps",
        "several_series": "several series of one kind",
        "few_slices": "a series of fewer than five slices",
        "sides_in_two_series": "left and right of a level are marked in different series",
    },
)
"""Every rule by its code."""
