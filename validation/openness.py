"""What counting bright pixels tells of a grade, and what share of them is usual: the numbers of ``grade/openness.py``.

``lumbargrade phantom --output out/physics --studies 60 --seed 2 --config physics``
``python validation/openness.py out/physics``
"""

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from lumbargrade.evaluate import Rows, estimate
from lumbargrade.grade import crop_sites, sites_from_points
from lumbargrade.grade.crop import Crop
from lumbargrade.grade.openness import bright_share
from lumbargrade.grade.recipe import CropRecipe
from lumbargrade.terms import Severity
from lumbargrade.train.data_set import open_labelled_data, read_labelled_study


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    shares: dict[CropRecipe, list[tuple[Severity, float, int]]] = defaultdict(list)
    for labelled in open_labelled_data(parser.parse_args().data).studies.values():
        study, landmarks = read_labelled_study(labelled)
        sites = sites_from_points({finding: landmark.point_lps_mm for finding, landmark in landmarks.items()})
        for finding, found in crop_sites(study, sites).items():
            for crop in found.crops:
                if isinstance(crop, Crop) and finding in labelled.severities:
                    shares[crop.recipe].append((labelled.severities[finding], bright_share(crop.pixels, crop.recipe), labelled.study_id))
    for recipe, found_shares in shares.items():
        usual = float(np.median([share for severity, share, _ in found_shares if severity is Severity.NORMAL_MILD]))
        order = 1 - np.array([share for _, share, _ in found_shares])  # any number that falls as the share grows ranks alike
        probabilities = np.stack([1 - order, order / 2, order / 2], 1)
        rows = Rows(np.array([each[0] for each in found_shares]), probabilities, np.array([each[2] for each in found_shares]))
        statistics = estimate(rows, 200)
        told = [
            f"{name} {statistics[name].value:.3f} ({statistics[name].low:.3f} to {statistics[name].high:.3f})"
            for name in ("auc_severe", "auc_moderate")
        ]
        print(recipe.role.value, f"{recipe.size_px} px", len(found_shares), f"usual share {usual:.3f}", *told)  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
