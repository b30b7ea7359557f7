"""What each ingredient of the graders is worth, and how they learn with more patients: short trainings, each measured on other families.

``python validation/ablations.py TRAIN_DIR --test heldout-a=DIR heldout-b=DIR --output out/ablations``

TRAIN_DIR and the others are what ``lumbargrade phantom`` wrote. Each variant trains the three graders from nothing with the same number of
steps, and is measured on crops around the readers' coordinates, without calibration. Finished variants are kept in ``--output``.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from synthetic import labelled_studies

from lumbargrade.competition import SEVERITY_WEIGHTS, untilt
from lumbargrade.evaluate import Rows, estimate
from lumbargrade.grade import Calibration
from lumbargrade.side_by_side import run_side_by_side
from lumbargrade.terms import Condition
from lumbargrade.train.config import Schedule
from lumbargrade.train.data_set import LabelledData, LabelledStudy, open_labelled_data
from lumbargrade.train.grader import sample_logits, train_grader
from lumbargrade.train.grader_samples import GraderSamples
from lumbargrade.train.index import index_studies
from lumbargrade.train.study_cache import StudyCache, open_cache

Change = Callable[[GraderSamples], GraderSamples]


def unchanged(samples: GraderSamples) -> GraderSamples:
    """As it is."""
    return samples


@dataclass(frozen=True, slots=True)
class Variant:
    """One training: of which conditions, on how many studies, of which contrast, and what is taken from the samples."""

    name: str
    studies: int | None = None
    physics_only: bool = False
    change: Change = unchanged
    conditions: tuple[Condition, ...] = tuple(Condition)


def without_measures(samples: GraderSamples) -> GraderSamples:
    """Nothing measured is known."""
    return replace(samples, measures=np.full_like(samples.measures, np.nan))


def hard_labels(samples: GraderSamples) -> GraderSamples:
    """One reader's grade instead of how likely each was."""
    return replace(samples, targets=np.eye(3, dtype=np.float32)[samples.severities])


def weighted(samples: GraderSamples) -> GraderSamples:
    """The metric's weights in the loss: what is learnt is the tilted answer, from which ``_measure`` takes the tilt off again."""
    heavier = samples.targets * np.array(SEVERITY_WEIGHTS, np.float32)
    return replace(samples, targets=heavier / heavier.sum(1, keepdims=True))


def without_axial(samples: GraderSamples) -> GraderSamples:
    """The canal from sagittal pictures alone."""
    kept = samples.present[:, 0]
    crops = tuple(crop[kept] for crop in samples.crops)
    present = np.stack([np.ones(kept.sum(), bool), np.zeros(kept.sum(), bool)], 1)
    rest = [array[kept] for array in (samples.severities, samples.targets, samples.measures, samples.finding_indices)]
    return GraderSamples(samples.condition, crops, present, *rest)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--test", nargs="+", required=True, help="name=folder")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="where TRAIN_DIR was prepared by a training run")
    parser.add_argument("--steps", type=int, default=1200)
    options = parser.parse_args()
    data = open_labelled_data(options.data)
    options.output.mkdir(parents=True, exist_ok=True)
    cache, ids = _prepared(list(data.studies.values()), data.fingerprint, options.cache or options.output / "cache")
    sizes = [count for count in (125, 250) if count < 0.8 * len(ids)]
    half = min(len(ids) // 2, len(_chosen(data, ids, Variant("physics", physics_only=True))))
    variants = [
        Variant("as it is"),
        Variant("half of the studies, both kinds", studies=half),
        Variant("half of the studies, physics alone", studies=half, physics_only=True),
        *(Variant(f"{count} studies", studies=count) for count in sizes),
        Variant("without measures", change=without_measures),
        Variant("hard labels", change=hard_labels),
        Variant("metric's weights in the loss", change=weighted),
        Variant("canal without axial", change=without_axial, conditions=(Condition.SPINAL_CANAL_STENOSIS,)),
    ]
    tests = {}
    for each in options.test:
        name, _, folder = each.partition("=")
        other, _ = labelled_studies(Path(folder))
        tests[name] = _prepared(other, name, options.output / f"cache-{name}")
    for variant in variants:
        path = options.output / f"{variant.name.replace(' ', '-')}.json"
        if not path.is_file():
            chosen = _chosen(data, ids, variant)
            start = time.perf_counter()
            step = partial(_measure, variant, cache, chosen, tests, options.steps)
            found = {name: told for one in run_side_by_side(step, list(variant.conditions), 2) for name, told in one.items()}
            path.write_text(json.dumps({"studies": len(chosen), "seconds": time.perf_counter() - start, "found": found}, indent=1))
        _show(variant, json.loads(path.read_text()))
    return 0


def _prepared(studies: list[LabelledStudy], fingerprint: str, folder: Path) -> tuple[StudyCache, list[int]]:
    """The studies that can be learnt from, by id, and where they lie."""
    cache = open_cache(folder, fingerprint)
    left_out = {each.study_id for each in index_studies(studies, cache, 2, quiet=False)}
    return cache, sorted(study.study_id for study in studies if study.study_id not in left_out)


def _chosen(data: LabelledData, ids: Sequence[int], variant: Variant) -> tuple[int, ...]:
    """Studies at random, the same ones first for every size."""
    shuffled = [ids[index] for index in np.random.default_rng(0).permutation(len(ids))]
    if variant.physics_only:
        shuffled = [each for each in shuffled if json.loads(data.studies[each].truth.read_text())["config"]["contrast"] == "physics"]
    return tuple(shuffled[: variant.studies])


def _measure(variant: Variant, cache: StudyCache, ids: Sequence[int], tests, steps: int, condition: Condition):  # type: ignore[no-untyped-def]
    torch.set_num_threads(1)
    samples = variant.change(cache.grader_samples(condition, ids))
    schedule = Schedule(steps=steps, batch_size=64, weight_decay=0.05, average_decay=0.99)
    network = train_grader(condition, samples, schedule, seed=0, label=f"{variant.name}: {condition.value}", quiet=True).network
    told = {}
    for name, (test_cache, test_ids) in tests.items():
        seen = without_axial if variant.change is without_axial else unchanged
        parts = [seen(test_cache.grader_samples(condition, [study_id])) for study_id in test_ids]
        joined = GraderSamples.joined(parts)
        studies = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        probabilities = Calibration().probability_array(sample_logits(network, joined))
        if variant.change is weighted:
            probabilities = untilt(probabilities)
        found = estimate(Rows(joined.severities, probabilities, studies), 200)
        told[f"{condition.value} {name}"] = {
            key: [found[key].value, found[key].low, found[key].high]
            for key in ("weighted_log_loss", "constant_log_loss", "auc_severe", "auc_moderate", "calibration_error_severe")
        }
    return told


def _show(variant: Variant, record) -> None:  # type: ignore[no-untyped-def]
    print(f"{variant.name}: {record['studies']} studies, {record['seconds']:.0f} s")  # noqa: T201
    for name, found in sorted(record["found"].items()):
        loss, severe = found["weighted_log_loss"], found["auc_severe"]
        print(f"  {name}: log loss {loss[0]:.3f} ({loss[1]:.3f} to {loss[2]:.3f}), AUC severe {severe[0]:.3f}")  # noqa: T201


if __name__ == "__main__":
    raise SystemExit(main())
