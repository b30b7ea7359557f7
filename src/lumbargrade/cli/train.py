"""``lumbargrade train``: a model of one's own from a labelled data set."""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from lumbargrade.errors import UsageError

EXAMPLE = "lumbargrade train path/to/rsna-2024-lumbar-spine --output runs/first --folds 1"
TRAINING_PACKAGES = ("torch", "onnx", "scipy")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``train``."""
    parser.add_argument("data", type=Path, metavar="DATA_DIR", help="a data set in the competition's layout")
    parser.add_argument("--output", type=Path, required=True, metavar="RUN_DIR", help="the run's folder; a run that is there goes on")
    parser.add_argument("--config", default="default", metavar="NAME_OR_FILE", help="a built-in configuration or a .toml file (default)")
    parser.add_argument(
        "--folds", type=_positive, default=5, metavar="K", help="members, each trained without its fold; time grows with K (5)"
    )
    parser.add_argument("--seed", type=int, metavar="S", help="instead of the configuration's")
    parser.add_argument("--workers", type=_positive, metavar="N", help="processes side by side (one a core)")
    parser.add_argument(
        "--models",
        type=Path,
        metavar="RUN_DIR",
        help="a model to take networks from that the configuration does not train (the shipped one)",
    )
    parser.add_argument("--start-from", type=Path, metavar="RUN_DIR", help="a model whose networks are trained on (the shipped one)")
    parser.add_argument("--from-scratch", action="store_true", help="train networks that know nothing yet")
    parser.add_argument(
        "--calibrate-on",
        type=Path,
        nargs="+",
        default=[],
        metavar="DATA_DIR",
        help="labelled studies, best of another kind, to calibrate the probabilities on (those that were held out)",
    )
    parser.add_argument(
        "--coordinates", type=Path, metavar="FILE", help="instead of DATA_DIR/train_label_coordinates.csv: corrected or another reader's"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run in RUN_DIR, as happens without it too if one is there")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="prepared studies, to share between runs (RUN_DIR/cache)")


def run(options: argparse.Namespace) -> int:
    """Train, then print the held-out score, how far the localiser is off, and where the model is."""
    try:
        from lumbargrade.train.config import load_config
        from lumbargrade.train.run import RunOptions, train_run
    except ModuleNotFoundError as error:
        if error.name in TRAINING_PACKAGES:
            raise UsageError(f"training needs {error.name}, which is not installed; pip install lumbargrade[train]") from error
        raise
    config = load_config(options.config)
    if options.seed is not None:
        config = replace(config, seed=options.seed)
    config = replace(config, from_scratch=config.from_scratch or options.from_scratch)
    if config.from_scratch and options.start_from is not None:
        raise UsageError("--start-from names networks to go on from, but this run is to begin from nothing")
    run_options = RunOptions(
        options.folds,
        options.workers or os.cpu_count() or 1,
        options.cache,
        options.models,
        options.start_from,
        tuple(options.calibrate_on),
        options.coordinates,
        options.quiet,
    )
    record = train_run(options.data, options.output, config, run_options, _warn)
    if record is not None:
        print(_summary(record["held_out"], options.output))  # noqa: T201
    return 0


def _summary(held_out: dict[str, Any], run_dir: Path) -> str:
    lines = [f"{held_out['graded_findings']} of {held_out['findings']} findings of {held_out['studies']} held-out studies graded"]
    if held_out["score"] is None:
        lines.append(f"no score: {held_out['score_absent']}")
    else:
        lines.append(f"score {held_out['score']:.4f}, best constant {held_out['score_best_constant']:.4f}; lower is better")
    for condition, errors in held_out["localisation_mm"].items():
        if errors["median"] is not None:
            name = condition.replace("_", " ")
            lines.append(f"{name}: located within {errors['median']:.1f} mm (median), {errors['percentile_95']:.1f} mm (95 %)")
    lines.append(f"model in {run_dir}, told in {run_dir / 'report.html'}; use it with --models {run_dir}")
    return "\n".join(lines)


def _warn(message: str) -> None:
    print(f"lumbargrade train: {message}", file=sys.stderr)  # noqa: T201


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number
