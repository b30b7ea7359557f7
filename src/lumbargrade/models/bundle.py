"""A model: a folder with ``manifest.json``, which names every file with its sha256, and the networks it lists.

The manifest::

    {"schema": "lumbargrade/model/1", "name": "...", "version": "...",
     "members": [{"networks": {"localiser": "localiser.onnx", ...}, "calibration": {...}}],
     "files": {"localiser.onnx": "<sha256>", ...}}

A model of several members (one per fold) averages them. Every file is read once, checked, and only then parsed.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from lumbargrade.errors import ModelFileError
from lumbargrade.models.session import Network

MANIFEST = "manifest.json"
RUN_WEIGHTS = "weights"
"""Where a training run keeps its model, below the run's own folder."""
SCHEMA = "lumbargrade/model/1"


@dataclass(frozen=True)
class Member:
    """One trained set of networks, and the numbers that calibrate its outputs (condition name to parameters).

    ``threads`` is how many each network may use; 0 leaves it to the runtime.
    """

    contents: dict[str, bytes]
    calibration: dict[str, dict[str, float]]
    threads: int = 0

    @cached_property
    def networks(self) -> dict[str, Network]:
        """The sessions by name, made on first use."""
        return {name: Network(name, content, self.threads) for name, content in self.contents.items()}


@dataclass(frozen=True)
class ModelBundle:
    """A checked model. ``sha256`` is that of the manifest, which pins everything else."""

    name: str
    version: str
    sha256: str
    members: tuple[Member, ...]


def load_bundle(folder: Path | None = None, threads: int = 0) -> ModelBundle:
    """The model in ``folder`` (a training run's, or one with a manifest), or the one that ships with the package.

    ``threads`` is how many each network may use, as in ``Member``.

    Raises:
        ModelFileError: the manifest or a file is missing, unreadable, or does not match its sha256.
    """
    root = _model_folder(folder) if folder is not None else resources.files("lumbargrade.models") / "weights"
    manifest_bytes = _read(root, MANIFEST)
    try:
        manifest = json.loads(manifest_bytes)
        if manifest["schema"] != SCHEMA:
            raise ModelFileError(f"{root}/{MANIFEST}: schema {manifest['schema']!r} is not {SCHEMA!r}")
        checked = {name: _read_checked(root, name, digest) for name, digest in manifest["files"].items()}
        members = tuple(
            Member({name: checked[file] for name, file in member["networks"].items()}, member["calibration"], threads)
            for member in manifest["members"]
        )
        return ModelBundle(str(manifest["name"]), str(manifest["version"]), hashlib.sha256(manifest_bytes).hexdigest(), members)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(f"{root}/{MANIFEST}: not a model manifest ({type(error).__name__}: {error})") from error


def write_manifest(folder: Path, name: str, version: str, members: list[dict[str, Any]]) -> None:
    """Write ``manifest.json`` for the network files that already lie in ``folder``.

    Each member is ``{"networks": {name: file}, "calibration": {...}}`` with file names relative to ``folder``.
    """
    files = sorted({file for member in members for file in member["networks"].values()})
    digests = {file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in files}
    manifest = {"schema": SCHEMA, "name": name, "version": version, "members": members, "files": digests}
    temporary = folder / (MANIFEST + ".partial")
    temporary.write_text(json.dumps(manifest, indent=1) + "\n")
    temporary.replace(folder / MANIFEST)


def _model_folder(folder: Path) -> Traversable:
    is_run = not (folder / MANIFEST).exists() and (folder / RUN_WEIGHTS).is_dir()
    return folder / RUN_WEIGHTS if is_run else folder


def _read(root: Traversable, name: str) -> bytes:
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ModelFileError(f"{root}/{MANIFEST}: file name {name!r} leaves the model's folder")
    try:
        return root.joinpath(name).read_bytes()
    except OSError as error:
        raise ModelFileError(f"{root}/{name}: {error.strerror or error}; a model folder needs {MANIFEST} and the files it names") from error


def _read_checked(root: Traversable, name: str, digest: str) -> bytes:
    content = _read(root, name)
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise ModelFileError(f"{root}/{name}: sha256 is {found[:12]}..., the manifest says {str(digest)[:12]}...; restore the file")
    return content
