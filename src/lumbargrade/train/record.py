"""What a run writes about itself: the plan it may be continued under, the seconds of its stages, and what it was made with."""

import importlib.metadata
import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lumbargrade import __version__
from lumbargrade.errors import UsageError

PLAN = "plan.json"
STAGES = "stages.json"
PACKAGES = ("numpy", "pydicom", "onnxruntime", "torch", "onnx", "scipy")
_SHOWN = 3


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write in one step: a reader finds the old file or the whole new one."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(values, indent=1) + "\n")
    partial.replace(path)


def settle_plan(run_dir: Path, plan: Mapping[str, Any]) -> None:
    """Begin a run in a new folder, or make sure that the run in it is the same and may go on.

    Raises:
        UsageError: the folder holds a run of another plan; the message names what differs.
    """
    path = run_dir / PLAN
    if not path.is_file():
        write_json(path, plan)
        return
    try:
        there, wanted = _flat(json.loads(path.read_text())), _flat(plan)
    except (ValueError, AttributeError) as error:
        raise UsageError(f"{path}: not a training run's plan; choose another --output or delete the folder") from error
    differing = [key for key in sorted(there.keys() | wanted.keys()) if there.get(key) != wanted.get(key)]
    if differing:
        shown = ", ".join(f"{key} {there.get(key)!r} there and {wanted.get(key)!r} now" for key in differing[:_SHOWN])
        more = f" and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
        raise UsageError(f"{run_dir}: holds a run with other settings ({shown}{more}); choose another --output or delete the folder")


class StageClock:
    """Seconds a stage, kept on disk, so that an interrupted run's are not forgotten."""

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / STAGES
        self.seconds: dict[str, float] = json.loads(self._path.read_text()) if self._path.is_file() else {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds the time spent inside to the stage's, also when it ends with an error."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - started, 1)
            write_json(self._path, self.seconds)


def software() -> dict[str, str | None]:
    """Versions of this package and of those that shape its weights, and this source tree's git commit if there is one."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"lumbargrade": __version__, **versions, "git_commit": _git_commit()}


def _git_commit() -> str | None:
    """None where the package does not lie in a checkout of its own: the folder around an environment is another project's."""
    package = Path(__file__).resolve().parents[1]
    try:
        command = ["git", "-C", str(package), "rev-parse", "--show-toplevel", "HEAD"]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return None
    return lines[1] if len(lines) == 2 and Path(lines[0]) / "src" == package.parent else None


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat
