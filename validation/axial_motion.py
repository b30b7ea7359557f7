"""How well motion between the sagittal T2 and each axial series is read off the pictures of synthetic studies, whose patients truly moved.

``lumbargrade phantom --output out/fresh --studies 40 --seed 2 --config physics && python validation/axial_motion.py out/fresh``
"""

import argparse
import json
from pathlib import Path

import numpy as np

from lumbargrade.competition import Split, open_data_set, read_series_roles
from lumbargrade.dicom import find_study, read_study
from lumbargrade.pipeline import Pipeline
from lumbargrade.terms import SeriesRole


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--models", type=Path, help="a training run's model instead of the one that ships")
    options = parser.parse_args()
    pipeline, data_set = Pipeline.load(options.models), open_data_set(options.data)
    before, after, untold = [], [], 0
    for study_id, roles in sorted(read_series_roles(data_set.series_path(Split.TRAIN)).items()):
        truth = json.loads(data_set.truth_path(study_id).read_text())
        moved = {str(series["series_id"]): np.array(series["moved_mm"]) for series in truth["series"]}
        study = read_study(find_study(data_set.study_folder(Split.TRAIN, study_id)), {str(key): role for key, role in roles.items()})
        found = pipeline.locate(study)
        sagittal = study.with_role(SeriesRole.SAGITTAL_T2)
        for series in study.with_role(SeriesRole.AXIAL_T2) if sagittal and found.locations else ():
            true = moved[series.folder] - moved[sagittal[0].folder]
            told = found.moved_mm.get(series.series_instance_uid)
            untold += told is None
            before.append(float(np.linalg.norm(true)))
            after.append(float(np.linalg.norm(true - (told if told is not None else 0))))
    print("| axial series | motion, mean (95 %) | left over, mean (95 %) | series of which nothing is told |\n|---|---|---|---|")  # noqa: T201
    columns = [f"{np.mean(values):.1f} ({np.percentile(values, 95):.1f}) mm" for values in (before, after)]
    print(f"| {len(before)} | {columns[0]} | {columns[1]} | {untold} |")  # noqa: T201
    return int(np.mean(after) >= np.mean(before))


if __name__ == "__main__":
    raise SystemExit(main())
