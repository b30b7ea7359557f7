"""``report.html`` of a training run: what it is worth, how each network got there, and what it was made of, for people."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from lumbargrade.localise import LOCALISER
from lumbargrade.report.files import write_atomically
from lumbargrade.terms import INTENDED_USE
from lumbargrade.train.doubtful import UNLIKELY, DoubtfulLabel

PAGE = "report.html"
POINTS = 150
DOUBTFUL_SHOWN = 20
WIDTH, HEIGHT, MARGIN, BASE = 320, 150, 40, 20


def write_run_page(run_dir: Path, notes: Path, record: Mapping[str, Any], doubtful: Sequence[DoubtfulLabel]) -> None:
    """Write the page beside ``run.json``, whole or not at all; ``notes`` is the folder of the networks' losses, and of the doubtful labels
    the first are shown."""
    environment = Environment(
        loader=PackageLoader("lumbargrade.train"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    held_out, data, machine = record["held_out"], record["data"], record["machine"]
    curves = [each for path in sorted(notes.glob("*.losses.json")) for each in _curves(path)]
    facts = [
        ("studies", f"{data['used_studies']} of {data['labelled_studies']} labelled ones"),
        ("folds", record["folds"]),
        ("seed", record["seed"]),
        ("data fingerprint", data["fingerprint"]),
        ("machine", f"{machine['cores']} cores, {machine['device']}"),
        *((f"seconds: {stage}", seconds) for stage, seconds in record["seconds"].items()),
        *((f"version: {name}", version) for name, version in record["software"].items() if version),
    ]
    text = environment.get_template("run.html.j2").render(
        held_out=held_out,
        scores=_scores(held_out),
        curves=curves,
        facts=facts,
        doubtful=doubtful[:DOUBTFUL_SHOWN],
        doubtful_labels=len(doubtful),
        unlikely=UNLIKELY,
        left_out=data["left_out"],
        config=json.dumps(record["config"], indent=1),
        intended_use=INTENDED_USE,
    )
    write_atomically(run_dir / PAGE, text)


def _curves(path: Path) -> list[tuple[str, str]]:
    """A network's name and curve, and the same of what it was worth on held-out studies, where that was looked at."""
    noted, name = json.loads(path.read_text()), path.name.removesuffix(".losses.json")
    what = "loss" if name.startswith(LOCALISER) else "metric"
    curves = [(f"{name}: loss", loss_curve(noted["losses"], len(noted["losses"])))]
    if noted["held_out"]:
        steps, values = zip(*noted["held_out"], strict=True)
        curves.append((f"{name}: {what} on held-out studies", loss_curve(values, steps[-1], steps[0])))
    return curves


def loss_curve(losses: Sequence[float], last_step: int, first_step: int = 1) -> str:
    """An SVG of the losses from one step to another, each point the mean of neighbouring ones; empty for none."""
    if not losses:
        return ""
    means = [float(part.mean()) for part in np.array_split(np.array(losses), min(POINTS, len(losses)))]
    low, high = min(means), max(means)
    across = (WIDTH - MARGIN - 6) / max(1, len(means) - 1)
    tall = (HEIGHT - BASE - 12) / max(high - low, 1e-9)
    points = " ".join(f"{MARGIN + index * across:.1f},{HEIGHT - BASE - (value - low) * tall:.1f}" for index, value in enumerate(means))
    texts = [(MARGIN - 4, 12, "end", f"{high:.3g}"), (MARGIN - 4, HEIGHT - BASE, "end", f"{low:.3g}")]
    texts += [(MARGIN, HEIGHT - 5, "start", f"step {first_step}"), (WIDTH - 6, HEIGHT - 5, "end", str(last_step))]
    words = "".join(f'<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>' for x, y, anchor, text in texts)
    axis = f'<line x1="{MARGIN}" y1="{HEIGHT - BASE}" x2="{WIDTH - 6}" y2="{HEIGHT - BASE}"/>'
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{axis}<polyline points="{points}"/>{words}</svg>'


def _scores(held_out: Mapping[str, Any]) -> list[tuple[str, tuple[float | None, float | None, float | None]]]:
    """Rows of (name, this run, without calibration, best constant); none where there is no score."""
    if held_out["score"] is None:
        return []
    rows: list[tuple[str, tuple[float | None, float | None, float | None]]] = [
        ("score", (held_out["score"], held_out["score_uncalibrated"], held_out["score_best_constant"]))
    ]
    constants = held_out["constant_parts"]
    rows += [(name.replace("_", " "), (value, None, constants[name])) for name, value in held_out["score_parts"].items()]
    return rows
