"""What each ingredient of the graders is worth, and how they learn with more patients: short trainings, each measured on other families.

``python validation/ablations.py TRAIN_DIR --test heldout-a=DIR heldout-b=DIR --calibrate-on DIR DIR --output out/ablations``

TRAIN_DIR and the others are what ``lumbargrade phantom`` wrote. Each variant trains the three graders from nothing with the same number of
steps, and is measured on crops around the readers' coordinates, without calibration. The shipped model is measured with and without the
network that hears the findings together, end to end, calibrated anew on other studies each time. Finished variants are kept in
``--output``; ``--card`` puts the tables between the marks of that file.
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
from grades import around_marks
from synthetic import labelled_studies

from lumbargrade.competition import SEVERITY_WEIGHTS, StudyLabels, untilt
from lumbargrade.evaluate import Rows, estimate
from lumbargrade.grade import Calibration
from lumbargrade.grade.context import CONTEXT
from lumbargrade.grade.recipe import NETWORK_NAMES
from lumbargrade.localise import LOCALISER
from lumbargrade.models import load_bundle
from lumbargrade.side_by_side import run_side_by_side
from lumbargrade.terms import FINDINGS, Condition
from lumbargrade.train.config import Schedule
from lumbargrade.train.data_set import LabelledData, LabelledStudy, open_labelled_data
from lumbargrade.train.grader import sample_logits, train_grader
from lumbargrade.train.grader_samples import GraderSamples
from lumbargrade.train.held_out import HeldOutStudies, predict_held_out
from lumbargrade.train.index import index_studies
from lumbargrade.train.outcome import fit_on
from lumbargrade.train.study_cache import StudyCache, open_cache

GRADERS = (LOCALISER, *NETWORK_NAMES.values())
SHIPPED = {"with context": (*GRADERS, CONTEXT), "without context": GRADERS}
BEGIN, END = "<!-- ablations: made by validation/ablations.py -->\n", "<!-- end of ablations -->\n"

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
    parser.add_argument("--calibrate-on", type=Path, nargs="+", required=True)
    parser.add_argument("--card", type=Path)
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
    records = {}
    for variant in variants:
        path = options.output / f"{variant.name.replace(' ', '-')}.json"
        if not path.is_file():
            chosen = _chosen(data, ids, variant)
            start = time.perf_counter()
            step = partial(_measure, variant, cache, chosen, tests, options.steps)
            found = {name: told for one in run_side_by_side(step, list(variant.conditions), 2) for name, told in one.items()}
            path.write_text(json.dumps({"studies": len(chosen), "seconds": time.perf_counter() - start, "found": found}, indent=1))
        records[variant.name] = json.loads(path.read_text())
    named = {name: Path(folder) for name, _, folder in (each.partition("=") for each in options.test)}
    shipped = {name: _end_to_end(name, named, options.calibrate_on, options.output) for name in SHIPPED}
    text = "\n\n".join(
        [
            f"**What each ingredient is worth**, {options.steps} steps of training each: weighted log loss without calibration, and "
            "AUC of severe, on crops around the true places in studies of other families.",
            _table(records, list(named)),
            "**Findings heard together**, the shipped model end to end, calibrated anew on other studies of these families each time.",
            _table(shipped, list(named)),
        ]
    )
    print(text)  # noqa: T201
    if options.card:
        before, after = around_marks(options.card.read_text(), BEGIN, END)
        options.card.write_text(f"{before}{BEGIN}\n{text}\n\n{END}{after}")
    return 0


def _end_to_end(name: str, tests: dict[str, Path], calibration: Sequence[Path], output: Path):  # type: ignore[no-untyped-def]
    """The shipped model's figures with or without its context network."""
    contents = {network: content for network, content in load_bundle(None).members[0].contents.items() if network in SHIPPED[name]}
    folder = output / "shipped"
    folder.mkdir(exist_ok=True)
    for network, content in contents.items():
        (folder / f"{network}.onnx").write_bytes(content)
    files = {network: folder / f"{network}.onnx" for network in contents}

    def heard(place: Path) -> tuple[HeldOutStudies, StudyLabels]:
        studies, labels = labelled_studies(place)
        path = output / f"{name}-{place.name}.npz".replace(" ", "-")
        if not path.is_file():
            predict_held_out(studies, files, f"{name}: {place.name}", 2, 1, quiet=False).write(path)
        found = HeldOutStudies.read(path)
        rows = [labels.study_ids.index(study_id) for study_id in found.study_ids.tolist()]
        return found, StudyLabels(tuple(found.study_ids.tolist()), labels.severities[rows])

    calibrations = fit_on([heard(place) for place in calibration])
    told = {}
    for test, place in tests.items():
        found, labels = heard(place)
        for condition in Condition:
            columns = np.array([finding.condition is condition for finding in FINDINGS])
            chosen = ~np.ma.getmaskarray(found.logits)[..., 0] & ~np.ma.getmaskarray(labels.severities) & columns
            studies, findings = np.nonzero(chosen)
            calibration_ = Calibration.from_parameters(calibrations[condition.value])
            probabilities = calibration_.probability_array(found.logits.data[chosen], found.openness[chosen])
            rows = Rows(labels.severities.data[studies, findings].astype(np.intp), probabilities, studies)
            told[f"{condition.value} {test}"] = _figures(rows)
    return {"studies": "", "found": told}


def _figures(rows: Rows) -> dict[str, list[float | None]]:
    found = estimate(rows, 200)
    names = ("weighted_log_loss", "constant_log_loss", "auc_severe", "auc_moderate", "calibration_error_severe")
    return {name: [found[name].value, found[name].low, found[name].high] for name in names}


def _table(records, tests: Sequence[str]) -> str:  # type: ignore[no-untyped-def]
    """A row a variant, a column a condition and test."""
    columns = [(condition, test) for condition in Condition for test in tests]
    heads = [f"{condition.value.replace('_', ' ')}, {test}" for condition, test in columns]
    lines = [f"| | studies | {' | '.join(heads)} |", "|---|---|" + "---|" * len(columns)]
    for name, record in records.items():
        cells = []
        for condition, test in columns:
            found = record["found"].get(f"{condition.value} {test}")
            if found is None:
                cells.append("–")
                continue
            (loss, low, high), severe = found["weighted_log_loss"], found["auc_severe"][0]
            cells.append(f"{loss:.3f} ({low:.3f} to {high:.3f}); {severe:.3f}")
        lines.append(f"| {name} | {record['studies']} | {' | '.join(cells)} |")
    return "\n".join(lines)


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
    network = train_grader(condition, samples, schedule, seed=0).network
    told = {}
    for name, (test_cache, test_ids) in tests.items():
        seen = without_axial if variant.change is without_axial else unchanged
        parts = [seen(test_cache.grader_samples(condition, [study_id])) for study_id in test_ids]
        joined = GraderSamples.joined(parts)
        studies = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        probabilities = Calibration().probability_array(sample_logits(network, joined))
        if variant.change is weighted:
            probabilities = untilt(probabilities)
        told[f"{condition.value} {name}"] = _figures(Rows(joined.severities, probabilities, studies))
    return told


if __name__ == "__main__":
    raise SystemExit(main())
