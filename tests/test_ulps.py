"""The page that says how exact the functions are says it of these functions."""

import re

import numpy as np
import pytest

import measure_ulps
from nnbook.core import activations

STATED = [
    (name, float(single), float(double), unit)
    for name, single, double, unit in re.findall(
        r"^\| (.+?) \| ([\d.]+) \| ([\d.]+) \| (.+?) \|$",
        measure_ulps.PAGE.read_text(encoding="utf-8"),
        re.M,
    )
]


def test_the_page_lists_every_function():
    assert [(name, unit) for name, _, _, unit in STATED] == [
        (case.name, case.unit) for case in measure_ulps.CASES
    ]


def test_every_activation_is_measured():
    measured = {case.name.partition("(")[0].partition(" ")[0] for case in measure_ulps.CASES}
    assert set(activations.__all__) - {"Activation", "Identity"} <= measured


@pytest.mark.parametrize(
    "number", range(len(measure_ulps.CASES)), ids=lambda k: f"{k}-{measure_ulps.CASES[k].name}"
)
def test_other_inputs_are_no_further_from_the_truth(number):
    case, (_, *stated, _) = measure_ulps.CASES[number], STATED[number]
    for dtype, error in zip(measure_ulps.DTYPES, stated, strict=True):
        # another processor's e^x may round another way: it is given one ulp, or a tenth of a large error
        assert measure_ulps.ulps(case, dtype, 400, seed=1) <= max(error + 1, 1.1 * error)


def test_a_careless_formula_is_found_out():
    def naive(Z):
        return np.log(1 + np.exp(-Z))

    case = next(case for case in measure_ulps.CASES if case.name == "BinaryCrossEntropyLoss, fused")
    careless = measure_ulps.Case("naive", naive, case.true, domain="squares")
    assert measure_ulps.ulps(careless, np.float32, 400) > 1000
