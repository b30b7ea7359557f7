"""The drawings of the page about a data set."""

import re

import pytest

from lumbargrade.explore.charts import histogram


@pytest.mark.parametrize("values", [[4.4, 4.4 + 1e-15, 4.4 - 1e-15], [1.5, 2.7, 9.1], [2.0], [0.0, 0.0], [3.0, 3.0, 5.0], [-0.5, -0.5]])
def test_every_value_is_counted_though_values_differ_by_rounding_alone(values: list[float]) -> None:
    bars = re.findall(r"<title>[^<]*: (\d+)</title>", histogram(values))
    assert sum(map(int, bars)) == len(values)
