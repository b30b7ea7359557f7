"""``lumbargrade levels`` from the outside, with a network that has learnt the places of one patient by heart."""

import json
import shutil
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from onnx import GraphProto, TensorProto, helper, numpy_helper
from PIL import Image

from lumbargrade.cli import main
from lumbargrade.competition import LabelCoordinate, write_coordinates, write_series_roles
from lumbargrade.dicom import HeaderProfile, TransferSyntax, write_series
from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.localise import junction
from lumbargrade.localise.channels import (
    CANAL_CHANNELS,
    CHANNELS,
    DISC_BACK,
    DISC_FRONT,
    FIRST_SACRAL,
    INPUT_NAME,
    OUTPUT_NAME,
    input_to_heat_px,
)
from lumbargrade.localise.prepare import prepare_stack
from lumbargrade.models.bundle import write_manifest
from lumbargrade.study import Instance, Series, SeriesTiming, Stack
from lumbargrade.terms import LEVELS, Condition, Finding, SeriesRole

CANAL_LPS = np.array([[0.0, 42, 180], [0, 36, 146], [0, 33, 111], [0, 38, 75], [0, 52, 44]])
SLICES, MIDDLE = 9, 4
GOOD, SHIFTED, LOST = 101, 102, 103
SPINE_HEAT = 0.9


def sagittal_t2() -> Series:
    """Noise, 9 slices around x = 0."""
    rng = np.random.default_rng(1)
    instances = []
    for number in range(SLICES):
        corner = np.array([4.0 * (number - MIDDLE), -40.0, 210.0])
        affine = SliceAffine(corner, np.array([0.0, 1, 0]), np.array([0.0, 0, -1]), 1.5, 1.5)
        instances.append(Instance(f"1.{number}", number + 1, affine, rng.uniform(50, 900, (128, 110)).astype(np.float32)))
    return Series("1.12", "12", "", SeriesTiming(), SeriesRole.SAGITTAL_T2, "made so", (Stack.ordered(instances),))


def network_that_draws(heat: np.ndarray) -> bytes:
    """A real ONNX network whose output is ``heat`` for every slice, whatever the slice shows."""
    nodes = [
        helper.make_node("ReduceMean", [INPUT_NAME], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "heat_of_one"], [OUTPUT_NAME]),
    ]
    constants = [
        numpy_helper.from_array(np.zeros((1, 1, 1, 1), np.float32), "zero"),
        numpy_helper.from_array(heat[None].astype(np.float32), "heat_of_one"),
    ]
    inputs = [helper.make_tensor_value_info(INPUT_NAME, TensorProto.FLOAT, ["n", 2, "rows", "columns"])]
    outputs = [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, None)]
    return as_model(helper.make_graph(nodes, "heart", inputs, outputs, constants))


def network_that_says(logit: float) -> bytes:
    """A real ONNX network whose output is ``logit`` for every junction, whatever it looks like."""
    nodes = [
        helper.make_node("ReduceMean", [junction.INPUT_NAME], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "logit"], [junction.OUTPUT_NAME]),
    ]
    constants = [numpy_helper.from_array(np.array([value], np.float32), name) for name, value in (("zero", 0.0), ("logit", logit))]
    shape = ["n", junction.PATCH_CHANNELS, *junction.PATCH_SHAPE]
    inputs = [helper.make_tensor_value_info(junction.INPUT_NAME, TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info(junction.OUTPUT_NAME, TensorProto.FLOAT, None)]
    return as_model(helper.make_graph(nodes, "junction", inputs, outputs, constants))


def as_model(graph: GraphProto) -> bytes:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The five discs where they are with the sacrum below, and a network that calls every junction transitional."""
    prepared = prepare_stack(sagittal_t2().stacks[0])
    _, rows, columns = prepared.pixels.shape
    y, x = np.mgrid[: rows // 2, : columns // 2]
    heat = np.full((CHANNELS, rows // 2, columns // 2), 1e-3)
    places = [(CANAL_CHANNELS.start + index, point) for index, point in enumerate(CANAL_LPS)]
    places += [(channel, point - [0, ahead, 0]) for channel, ahead in ((DISC_BACK, 8), (DISC_FRONT, 43)) for point in CANAL_LPS]
    for channel, point in [*places, (FIRST_SACRAL, CANAL_LPS[-1] - [0, 14, 20])]:
        column, row = (input_to_heat_px(value) for value in prepared.affines[0].to_px(point)[0].tolist())
        heat[channel] = np.maximum(heat[channel], SPINE_HEAT * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * 1.5**2)))
    folder = tmp_path_factory.mktemp("models")
    (folder / "localiser.onnx").write_bytes(network_that_draws(heat))
    (folder / "junction.onnx").write_bytes(network_that_says(9.0))
    networks = {"localiser": "localiser.onnx", "junction": "junction.onnx"}
    write_manifest(folder, "by heart", "1", [{"networks": networks, "calibration": {}}])
    return folder


def coordinates(study_id: int, lower: int) -> list[LabelCoordinate]:
    """The canals on the middle slice, L4/L5 on the one three to the right of it; named ``lower`` levels lower than they are."""
    points = []
    for place, point in enumerate(CANAL_LPS):
        if 0 <= place + lower < len(LEVELS):
            level = LEVELS[place + lower]
            slice_number = MIDDLE + 1 - (3 if level is LEVELS[3] else 0)
            finding = Finding(Condition.SPINAL_CANAL_STENOSIS, None, level)
            points.append(LabelCoordinate(study_id, 12, slice_number, finding, (point[1] + 40) / 1.5, (210 - point[2]) / 1.5))
    return points


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A patient, the same with labels one level lower, and a study of junk."""
    root = tmp_path_factory.mktemp("levels") / "data"
    for study_id in (GOOD, SHIFTED):
        folder = root / "train_images" / str(study_id) / "12"
        write_series(folder, f"1.2.{study_id}", sagittal_t2(), HeaderProfile.COMPETITION, TransferSyntax.EXPLICIT_LITTLE_ENDIAN)
    (root / "train_images" / str(LOST) / "12").mkdir(parents=True)
    (root / "train_images" / str(LOST) / "12" / "1.dcm").write_bytes(b"junk")
    write_coordinates(root / "train_label_coordinates.csv", [*coordinates(GOOD, 0), *coordinates(SHIFTED, 1), *coordinates(LOST, 0)])
    write_series_roles(
        root / "train_series_descriptions.csv", {study_id: {12: SeriesRole.SAGITTAL_T2} for study_id in (GOOD, SHIFTED, LOST)}
    )
    return root


def run(data: Path, models: Path, *more: str) -> int:
    return main(["levels", str(data), "--models", str(models), "--quiet", *more])


def test_distances_names_slices_and_failures_are_told(data: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, models, "--json") == 4
    captured = capsys.readouterr()
    assert captured.err.startswith(f"lumbargrade levels: {LOST}: ")
    assert captured.err.count("\n") == 1
    found = json.loads(captured.out)
    assert (found["measured"], found["failed"], found["model"]["name"]) == (2, [str(LOST)], "by heart")
    rows = {(row["kind"], row["level"]): row for row in found["distances"]}
    assert rows["spinal canal, located", None]["sites"] == 9
    assert rows["spinal canal, located", "L1/L2"]["within_mm"]["3"]["value"] == 1.0
    assert rows["spinal canal, located", "L2/L3"]["within_mm"]["10"]["value"] == 0.5  # the shifted patient's is the L1/L2 of its labels
    assert rows["spinal canal, located", "L4/L5"]["within_mm"]["5"]["value"] == 0.0  # 12 mm to the side
    assert rows["spinal canal, seen from the side", "L4/L5"]["within_mm"]["5"]["value"] == 0.5
    assert found["slices"] == [{"kind": "spinal canal", "sites": 9, "within_one": 7}]
    (naming,) = found["naming"]
    assert (naming["right"], naming["higher"], naming["misnamed"], naming["misnamed_warned"], naming["others_warned"]) == (1, 1, 1, 1, 1)
    assert found["transitional"] is None
    assert [(patient["name"], patient["naming"]) for patient in found["patients"]] == [(str(GOOD), "right"), (str(SHIFTED), "higher")]


def test_tables_are_aligned_and_name_who_is_not_right(data: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, models) == 4
    lines = capsys.readouterr().out.splitlines()
    tables = [list(group) for is_row, group in groupby(lines, lambda line: line.startswith("|")) if is_row]
    assert len(tables) == 4
    assert all(len({len(line) for line in table}) == 1 for table in tables)
    assert any(line.startswith("| all, 2   | spinal canal, located") and "| 9 " in line for line in tables[0])
    assert [line for line in lines if line.startswith(f"{SHIFTED}: shifted up")]
    assert not [line for line in lines if line.startswith(f"{GOOD}:")]


def test_pictures_of_the_worst_come_first(data: Path, models: Path, tmp_path: Path) -> None:
    assert run(data, models, "--output", str(tmp_path / "worst")) == 4
    first, second = sorted(path.name for path in (tmp_path / "worst").iterdir())
    assert first.startswith(f"01-{SHIFTED}-3")
    assert second == f"02-{GOOD}-12mm.png"
    with Image.open(tmp_path / "worst" / first) as picture:
        colours = np.asarray(picture.convert("RGB"), np.int16).reshape(-1, 3)
    assert (np.abs(colours - [80, 235, 90]).max(1) < 12).sum() > 100
    assert (np.abs(colours - [255, 70, 60]).max(1) < 12).sum() > 100


def test_of_a_synthetic_data_set_it_says_how_many_transitional_spines_were_flagged(
    data: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = shutil.copytree(data, tmp_path / "data")
    (root / "phantom.json").write_text("{}")
    for study_id, variant in ((GOOD, "sacralised L5"), (SHIFTED, "ordinary")):
        findings = [
            {
                "condition": Condition.SPINAL_CANAL_STENOSIS.value,
                "laterality": None,
                "level": level.value,
                "label": {"series_id": 12, "point_lps_mm": point.tolist()},
                "probabilities": [1, 0, 0],
                "measures": {},
            }
            for level, point in zip(LEVELS, CANAL_LPS, strict=True)
        ]
        truth = {
            "series": [{"series_id": 12, "moved_mm": [0, 0, 0]}],
            "findings": findings,
            "spine": {"discs": [], "vertebrae": []},
            "anatomy": {"bones": {"variants": {"lumbosacral": variant}}},
        }
        (root / "truth" / str(study_id)).mkdir(parents=True)
        (root / "truth" / str(study_id) / "truth.json").write_text(json.dumps(truth))
    assert run(root, models, "--json", "--studies", "2") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["transitional"] == {"transitional": 1, "transitional_flagged": 1, "ordinary": 1, "ordinary_flagged": 1}
    rows = {(row["anatomy"], row["kind"]): row for row in found["distances"] if row["level"] is None}
    for anatomy in ("ordinary", "transitional"):  # the phantom's own points are taken, not the labels on slices
        assert rows[anatomy, "spinal canal, located"]["within_mm"]["3"]["value"] == 1.0
    (root / "truth" / str(GOOD) / "truth.json").write_text("[]")
    assert run(root, models, "--studies", "2") == 4
    assert "tells nothing of the findings" in capsys.readouterr().err


def test_the_spider_selection_is_measured_slice_by_slice(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "space" / "images").mkdir(parents=True)
    columns = "patient,slice,file,level,disc_column_px,disc_row_px,edge_column_px,edge_row_px,canal_column_px,canal_row_px,pixel_spacing_mm"
    lines = [columns]
    for number in range(40, 61, 3):
        name = f"6_t2_SPACE_slice{number}.png"
        Image.fromarray(np.random.default_rng(number).integers(9, 250, (128, 110), np.uint8)).save(tmp_path / "space" / "images" / name)
        for level, point in zip(LEVELS, CANAL_LPS, strict=True):
            column, row = (point[1] + 40) / 1.5, (210 - point[2]) / 1.5
            canal = "," if number == 40 else f"{column + (8 if number == 43 else 0)},{row}"
            lines.append(f"6,{number},{name},{level.value},{column - 15},{row},{column - 6},{row},{canal},1.5")
    (tmp_path / "levels.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "midsagittal").mkdir()
    for name in ("8_t1.png", "8_t2.png"):
        shutil.copy(tmp_path / "space" / "images" / "6_t2_SPACE_slice52.png", tmp_path / "midsagittal" / name)
    (tmp_path / "midsagittal.csv").write_text("file,patient,weighting,pixel_spacing_mm\n8_t1.png,8,T1,1.5\n8_t2.png,8,T2,1.5\n")
    (tmp_path / "radiological_gradings.csv").write_text("Patient,IVD label\n8,1\n8,2\n8,3\n")
    assert run(tmp_path, models, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    row, pair = [row for row in found["distances"] if row["level"] is None]
    assert (pair["sites"], pair["within_mm"]["3"]["value"]) == (3, 1.0)  # two pictures alike agree at every graded disc
    assert (row["patients"], row["sites"], row["located"]) == (1, 30, 30)
    assert row["within_mm"]["3"]["value"] == pytest.approx(25 / 30)
    assert row["within_mm"]["10"]["value"] == pytest.approx(25 / 30)  # one slice's points lie 12 mm off
    assert found["patients"][0]["naming"] == "right"


@pytest.mark.parametrize(("more", "code"), [(("--studies", "0"), 2), (("--output", "used"), 2), (("--models", "nowhere"), 5)])
def test_what_cannot_work_is_said_in_one_line(
    more: tuple[str, ...],
    code: int,
    data: Path,
    models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()
    assert run(data, models, *more) == code
    assert capsys.readouterr().err.count("\n") == 1


def test_a_folder_without_coordinates_is_refused(data: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, models) == 3
    root = shutil.copytree(data, tmp_path / "data")
    (root / "train_label_coordinates.csv").unlink()
    assert run(root, models) == 3
    assert "label coordinates are needed" in capsys.readouterr().err
    write_coordinates(root / "train_label_coordinates.csv", coordinates(LOST, 0))
    assert run(root, models) == 3  # not one study could be read
    assert "none of 1 studies could be measured" in capsys.readouterr().err
