"""What a site gains from its own labelled studies: nothing done, recalibrated on 25, trained on with 75 more, and trained anew on those.

``python validation/site.py SITE_DIR TEST_DIR --output out/site``

Both are synthetic data sets of a family that no shipped network has seen, made by ``lumbargrade phantom`` with different seeds: SITE_DIR
stands for a hospital's own 100 labelled studies, TEST_DIR for its patients to come.
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from synthetic import labelled_studies

from lumbargrade.evaluate import Rows, best_constant_score, bootstrap_score, estimate, score
from lumbargrade.grade import Calibration
from lumbargrade.models import load_bundle
from lumbargrade.terms import FINDINGS, Condition
from lumbargrade.train.config import NETWORKS, load_config
from lumbargrade.train.data_set import Purpose, open_labelled_data
from lumbargrade.train.held_out import HeldOutStudies, predict_held_out
from lumbargrade.train.index import index_studies
from lumbargrade.train.member import MemberPlan, train_members
from lumbargrade.train.outcome import fit_on, tilted_scores
from lumbargrade.train.study_cache import open_cache

CALIBRATION_STUDIES = 25
REPEATS = 300


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--config", default="finetune")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--without-scratch", action="store_true")
    options = parser.parse_args()
    config = replace(load_config(options.config), threads=1)
    data = open_labelled_data(options.site, Purpose.CALIBRATION)
    cache = open_cache(options.output / "cache", data.fingerprint)
    left_out = {each.study_id for each in index_studies(list(data.studies.values()), cache, options.workers, quiet=False)}
    usable = sorted(set(data.studies) - left_out)
    shuffled = [usable[index] for index in np.random.default_rng(0).permutation(len(usable))]
    own, training = shuffled[:CALIBRATION_STUDIES], tuple(shuffled[CALIBRATION_STUDIES:])
    test, labels = labelled_studies(options.test)
    shipped = load_bundle(None).members[0]

    def written(name: str, contents: Mapping[str, bytes]) -> dict[str, Path]:
        folder = options.output / name
        folder.mkdir(parents=True, exist_ok=True)
        for network, content in contents.items():
            if not (folder / f"{network}.onnx").is_file():
                (folder / f"{network}.onnx").write_bytes(content)
        return {network: folder / f"{network}.onnx" for network in NETWORKS if network != "junction"}

    def heard(name: str, files: dict[str, Path], studies) -> HeldOutStudies:  # type: ignore[no-untyped-def]
        path = options.output / f"{name}.npz"
        if not path.is_file():
            predict_held_out(studies, files, name, options.workers, 1, quiet=False).write(path)
        return HeldOutStudies.read(path)

    def told(name: str, found: HeldOutStudies, calibrations: dict[str, dict[str, float]]) -> None:
        truth = labels.severities[[labels.study_ids.index(study_id) for study_id in found.study_ids.tolist()]]
        scores = tilted_scores(found, calibrations).scores
        interval = bootstrap_score(truth, scores, REPEATS)
        cells = []
        for condition in Condition:
            columns = np.array([finding.condition is condition for finding in FINDINGS])
            studies, findings = np.nonzero(~np.ma.getmaskarray(found.logits)[..., 0] & ~np.ma.getmaskarray(truth) & columns)
            calibration = Calibration.from_parameters(calibrations[condition.value])
            probabilities = calibration.probability_array(found.logits.data[studies, findings], found.openness[studies, findings])
            part = estimate(Rows(truth.data[studies, findings].astype(np.intp), probabilities, studies), 0)
            cells.append(f"{part['weighted_log_loss'].value:.3f}; {part['calibration_error_severe'].value:.3f}")
        total = f"{score(truth, scores).total:.3f} ({interval.low:.3f} to {interval.high:.3f})"
        print(f"| {name} | {total} | {' | '.join(cells)} |")  # noqa: T201

    constant = best_constant_score(labels.severities).total
    print(f"{len(test)} studies to come; best constant {constant:.3f}; log loss and calibration error (severe) of each condition\n")  # noqa: T201
    print("| | competition score | canal | foramen | subarticular |\n|---|---|---|---|---|")  # noqa: T201
    files = written("shipped", shipped.contents)
    found, seen = heard("shipped-test", files, test), heard("shipped-own", files, [data.studies[each] for each in own])
    told("shipped, as it is", found, shipped.calibration)
    own_labels = data.labels_of(tuple(seen.study_ids.tolist()))
    told(f"recalibrated on {CALIBRATION_STUDIES} studies", found, fit_on([(seen, own_labels)]))
    for name, start in {"trained on": shipped.contents, **({} if options.without_scratch else {"trained anew": {}})}.items():
        kept = {network: content for network, content in shipped.contents.items() if network not in config.networks}
        files = written(name.replace(" ", "-"), kept)
        member = MemberPlan(0, config.seed, training, (), {network: path.name for network, path in files.items()})
        train_members([member], config, data.studies, cache, files["localiser"].parent, options.workers, quiet=False, start=start)
        found = heard(f"{name.replace(' ', '-')}-test", files, test)
        seen = heard(f"{name.replace(' ', '-')}-own", files, [data.studies[each] for each in own])
        told(f"{name} with {len(training)} studies, calibrated on {CALIBRATION_STUDIES}", found, fit_on([(seen, own_labels)]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
