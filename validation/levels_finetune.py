"""Levels in real patients, without and with fine-tuning on others of them: SPIDER's slices, cross-validated by patient, several seeds.

``python validation/levels_finetune.py SPIDER_DIR --data LEVELS_DIR --models RUN_DIR [RUN_DIR ...]``

Each model (one training run a seed) is measured as it is, then trained on in small steps from its own weights: on the SPIDER patients
outside a fold, mixed with synthetic studies of LEVELS_DIR so that nothing else is forgotten, and measured on the fold. No patient is
measured with a model that saw them. SPIDER: van der Graaf et al. 2024, doi 10.1038/s41597-024-03090-w, CC BY 4.0.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from lumbargrade.competition.truth import read_spine_truth
from lumbargrade.level_evaluation import MeasuredPatient, as_text, summarise
from lumbargrade.level_evaluation.spider_cases import measure_spider_patient
from lumbargrade.localise import locate_levels
from lumbargrade.models import Network, load_bundle
from lumbargrade.spider import read_spider_patient, spider_patients
from lumbargrade.train.config import Schedule
from lumbargrade.train.data_set import LabelledStudy, open_labelled_data, read_labelled_study
from lumbargrade.train.localiser import train_localiser
from lumbargrade.train.localiser_network import export_localiser
from lumbargrade.train.localiser_samples import LocaliserSample, prepare_localiser_study
from lumbargrade.train.loop import Session
from lumbargrade.train.spine_marks import marks_of_spider, marks_of_truth

SYNTHETIC_STUDIES = 150
PATIENTS_SHARE = 0.5
"""Of the batches' slices that are patients'."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("spider", type=Path)
    parser.add_argument("--data", type=Path, required=True, help='synthetic studies of the phantom\'s configuration "levels"')
    parser.add_argument("--models", type=Path, nargs="+", required=True, help="training runs, one a seed")
    parser.add_argument("--folds", type=int, default=6)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--output", type=Path, help="also train on all patients, from the first model, and write that localiser here")
    options = parser.parse_args()
    schedule = Schedule(options.steps, 16, options.learning_rate, average_decay=0.98)
    patients = spider_patients(options.spider)
    real = {patient: prepare_localiser_study(*_spider(options.spider, patient)) for patient in patients}
    synthetic = [_synthetic(study) for study in list(open_labelled_data(options.data).studies.values())[:SYNTHETIC_STUDIES]]
    for seed, run in enumerate(options.models):
        start = load_bundle(run).members[0].contents["localiser"]
        _report(f"{run.name}: synthetic studies alone", _measure(options.spider, patients, start))
        order = np.random.default_rng(seed).permutation(patients)
        measured: list[MeasuredPatient] = []
        for fold in np.array_split(order, options.folds):
            held_out = [int(patient) for patient in fold]
            learnt = _trained([real[patient] for patient in patients if patient not in held_out], synthetic, schedule, seed, start)
            measured += _measure(options.spider, held_out, learnt)
        _report(f"{run.name}: fine-tuned, {options.folds} folds by patient", measured)
    if options.output:
        options.output.write_bytes(
            _trained(list(real.values()), synthetic, schedule, 0, load_bundle(options.models[0]).members[0].contents["localiser"])
        )
    return 0


def _spider(folder: Path, number: int):  # type: ignore[no-untyped-def]
    patient = read_spider_patient(folder, number)
    return patient.study, marks_of_spider(patient)


def _synthetic(labelled: LabelledStudy) -> LocaliserSample:
    if labelled.truth is None:
        raise SystemExit(f"{labelled.study_id}: no truth; a data set of the phantom is needed")
    return prepare_localiser_study(read_labelled_study(labelled)[0], marks_of_truth(read_spine_truth(labelled.truth)))


def _trained(real: Sequence[LocaliserSample], synthetic: Sequence[LocaliserSample], schedule: Schedule, seed: int, start: bytes) -> bytes:
    """The file of a localiser trained on from another."""
    times = max(1, round(len(synthetic) * PATIENTS_SHARE / (1 - PATIENTS_SHARE) / len(real)))
    network = train_localiser([*synthetic, *times * list(real)], schedule, seed, Session("localiser"), start=start)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "localiser.onnx"
        export_localiser(network, path)
        return path.read_bytes()


def _measure(folder: Path, patients: Sequence[int], localiser: bytes) -> list[MeasuredPatient]:
    networks = [Network("localiser", localiser)]
    return [measure_spider_patient(folder, patient, lambda study: locate_levels(study, networks)).patient for patient in patients]


def _report(title: str, measured: Sequence[MeasuredPatient]) -> None:
    print(f"## {title}\n")  # noqa: T201
    for line in as_text(summarise(measured), measured):
        print(line)  # noqa: T201
    print(flush=True)  # noqa: T201


if __name__ == "__main__":
    torch.set_num_threads(2)
    raise SystemExit(main())
