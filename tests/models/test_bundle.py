"""Model files are used only when they are the files that the manifest pins."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from lumbargrade.errors import ModelFileError
from lumbargrade.models.bundle import MANIFEST, load_bundle, write_manifest
from lumbargrade.models.session import Network


def doubling_network() -> bytes:
    """A real ONNX network: twice its input."""
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["doubled"])],
        "doubling",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None])],
        [helper.make_tensor_value_info("doubled", TensorProto.FLOAT, [None])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.onnx").write_bytes(doubling_network())
    member = {"networks": {"localiser": "a.onnx"}, "calibration": {"canal": {"temperature": 1.5}}}
    write_manifest(tmp_path, "toy", "3", [member])
    return tmp_path


def test_a_written_model_loads_and_runs(folder: Path) -> None:
    bundle = load_bundle(folder)
    assert (bundle.name, bundle.version, len(bundle.sha256)) == ("toy", "3", 64)
    member = bundle.members[0]
    assert member.calibration == {"canal": {"temperature": 1.5}}
    doubled = member.networks["localiser"].run(x=np.array([1.0, 2.5], np.float32))["doubled"]
    np.testing.assert_array_equal(doubled, [2.0, 5.0])


def test_a_training_run_folder_stands_for_its_weights(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "weights").mkdir(parents=True)
    for file in ("a.onnx", MANIFEST):
        (run / "weights" / file).write_bytes((folder / file).read_bytes())
    assert load_bundle(run).sha256 == load_bundle(folder).sha256


def test_one_changed_byte_is_refused(folder: Path) -> None:
    content = bytearray((folder / "a.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "a.onnx").write_bytes(content)
    with pytest.raises(ModelFileError, match="sha256"):
        load_bundle(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "a.onnx").unlink()
    with pytest.raises(ModelFileError, match=r"a\.onnx"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["../a.onnx", "/etc/hostname"])
def test_a_manifest_cannot_reach_outside_its_folder(folder: Path, name: str) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"] = {name: "0" * 64}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ModelFileError, match="leaves the model"):
        load_bundle(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "other"}', '{"schema": "lumbargrade/model/1", "files": 3, "members": []}'])
def test_a_broken_manifest_is_refused_in_words(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_text(text)
    with pytest.raises(ModelFileError):
        load_bundle(folder)


def test_bytes_that_are_no_network_are_refused() -> None:
    with pytest.raises(ModelFileError, match="localiser"):
        Network("localiser", b"not a network")


def test_the_runtime_reports_to_nobody(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    script = "import sys, time; from pathlib import Path; from lumbargrade.models.bundle import load_bundle\n"
    script += "load_bundle(Path(sys.argv[1])).members[0].networks; time.sleep(1)"
    environment = {name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")}
    subprocess.run([sys.executable, "-c", script, str(folder)], check=True, env={**environment, "HOME": str(home)})
    assert not [path for path in home.rglob("*") if path.is_file()]
