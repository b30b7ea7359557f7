"""The project's face keeps its word: documented commands parse, links lead somewhere, imports stay light, needed versions are pinned."""

import argparse
import importlib
import json
import re
import shlex
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from lumbargrade.cli.main import COMMANDS
from lumbargrade.models import load_bundle
from lumbargrade.models.bundle import MANIFEST

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "lumbargrade"
WEIGHTS = PACKAGE / "models" / "weights"
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
HEAVY = ("torch", "onnx", "onnxruntime", "numba", "pydicom", "jinja2", "PIL", "scipy", "numpy")
LARGEST_WEIGHTS_BYTES = 12 * 2**20
LONGEST_HELP_SECONDS = 0.5


def _shell_lines(page: Path) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    joined = [re.sub(r"\\\n\s*", "", block) for block in blocks]
    return [line.split("#")[0].strip() for block in joined for line in block.splitlines()]


def _documented(program: str) -> list[list[str]]:
    return [shlex.split(line)[1:] for page in PAGES for line in _shell_lines(page) if line.startswith(f"{program} ")]


def _modules_after(arguments: list[str]) -> set[str]:
    """Names of all modules that a fresh interpreter holds after the command line ran."""
    code = (
        "import contextlib, io, sys\nfrom lumbargrade.cli import main\n"
        f"with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n    main({arguments!r})\n"
        "print(' '.join(sys.modules))"
    )
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("arguments", _documented("lumbargrade"), ids=" ".join)
def test_every_documented_command_line_parses(arguments: list[str]) -> None:
    name, *rest = arguments
    assert name in COMMANDS
    parser = argparse.ArgumentParser(exit_on_error=False)
    importlib.import_module(f"lumbargrade.cli.{name}").add_arguments(parser)
    parser.parse_args(rest)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_that_parses(name: str) -> None:
    module = importlib.import_module(f"lumbargrade.cli.{name}")
    program, command, *rest = shlex.split(module.EXAMPLE)
    assert (program, command) == ("lumbargrade", name)
    parser = argparse.ArgumentParser(exit_on_error=False)
    module.add_arguments(parser)
    parser.parse_args(rest)


def test_every_documented_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    inline = {word for page in PAGES for word in re.findall(r"`make ([a-z]+)`", page.read_text())}
    documented = inline | {arguments[0] for arguments in _documented("make")}
    assert {"demo", "test"} <= documented <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_or_a_heading(page: Path) -> None:
    text = page.read_text()
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith("https://")]
    headings = {re.sub(r"[^a-z0-9 -]", "", line.lower()).strip().replace(" ", "-") for line in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
    files = [link for link in links if not link.startswith("#")]
    assert [link for link in links if link.startswith("#") and link[1:] not in headings] == []
    assert [link for link in files if not (page.parent / link).is_file()] == []


def test_every_function_named_on_the_walk_is_defined() -> None:
    source = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    named = set(re.findall(r"`([a-z_]+)\(\)`", (ROOT / "docs" / "walk.md").read_text()))
    assert len(named) > 15
    assert [name for name in sorted(named) if not re.search(rf"^\s*def {name}\(", source, re.MULTILINE)] == []


def test_the_walk_has_ten_stops() -> None:
    assert re.findall(r"^## (\d+)\.", (ROOT / "docs" / "walk.md").read_text(), re.MULTILINE) == [str(stop) for stop in range(1, 11)]


def test_help_loads_no_outside_library() -> None:
    assert _modules_after(["--help"]).isdisjoint(HEAVY)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "train"])
def test_no_command_but_train_needs_torch_to_say_what_it_does(name: str) -> None:
    assert _modules_after([name, "--help"]).isdisjoint({"torch", "onnx", "scipy"})


def test_help_answers_at_once() -> None:
    command = [str(Path(sys.executable).with_name("lumbargrade")), "--help"]

    def seconds() -> float:
        start = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(3)) < LONGEST_HELP_SECONDS


def test_the_model_that_ships_is_whole_small_and_nothing_else() -> None:
    assert all({"localiser", "canal", "foramen", "subarticular"} <= set(member.contents) for member in load_bundle().members)
    listed = set(json.loads((WEIGHTS / MANIFEST).read_text())["files"])
    assert {path.name for path in WEIGHTS.glob("*.onnx")} == listed
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) <= LARGEST_WEIGHTS_BYTES


def test_what_the_package_reads_at_run_time_is_packaged() -> None:
    data = PROJECT["tool"]["setuptools"]["package-data"]
    packaged = {path for package, patterns in data.items() for pattern in patterns for path in _folder(package).glob(pattern)}
    found = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts}
    assert found == packaged


def _folder(package: str) -> Path:
    return ROOT / "src" / Path(*package.split("."))


def test_every_room_has_its_place_in_the_floor_plan() -> None:
    layers = next(contract for contract in PROJECT["tool"]["importlinter"]["contracts"] if contract["type"] == "layers")["layers"]
    planned = {room for layer in layers for room in re.split(r"\s*[|:]\s*", layer)}
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert rooms | {path.stem for path in PACKAGE.glob("[!_]*.py")} == planned


def test_imports_keep_to_the_floor_plan() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_every_requirement_is_pinned_to_a_version_that_satisfies_it() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    pins = dict(line.lower().replace("_", "-").split("==") for line in lines)
    extras = PROJECT["project"]["optional-dependencies"].values()
    needed = [Requirement(text) for texts in (PROJECT["project"]["dependencies"], *extras) for text in texts]
    loose = [str(each) for each in needed if not each.specifier.contains(pins.get(each.name.lower(), "0"))]
    assert loose == []
    assert [pin for pin in pins.values() if "+" in pin] == []  # a local version exists on one machine only


def test_every_changelog_fragment_says_its_kind_and_something() -> None:
    fragments = [path for path in (ROOT / "changelog.d").iterdir() if path.is_file()]
    assert fragments
    assert [path.name for path in fragments if not re.fullmatch(r"\d+\.(feature|fix|predictions|removal)\.md", path.name)] == []
    assert [path.name for path in fragments if not path.read_text().strip()] == []
