"""How many roundings away from the truth the functions of the package are.

    python _ext/measure_ulps.py        measure, and write the page of the API reference

The truth is computed by mpmath with 50 digits from the same inputs. They are drawn from the whole
range of the type, with exponents spread evenly, and again from where the functions bend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
from mpmath import mp, mpf

from nnbook.core import (
    SELU,
    BinaryCrossEntropyLoss,
    CrossEntropyLoss,
    LeakyReLU,
    MSELoss,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)

PAGE = Path(__file__).resolve().parent.parent / "nbs" / "accuracy.md"
DTYPES = (np.float32, np.float64)
CLASSES = 4
mp.dps = 50


@dataclass(frozen=True)
class Case:
    """A function of rows of numbers: as the package computes it, and its true value for one row."""

    name: str
    computed: Callable[[Any], Any]
    true: Callable[[list[Any]], list[Any]]
    columns: int = 1
    unit: str = "the result"  # or "1", where the result is a difference of numbers near 1
    scores: bool = True  # takes numbers of the whole range; False where their squares must fit, too


def slope(activation: Any) -> Callable[[Any], Any]:
    def computed(Z: Any) -> Any:
        activation.forward(Z)
        return activation.backward(np.ones_like(Z))

    return computed


def fused(loss: Any, gradient: bool) -> Callable[[Any], Any]:
    """The loss of rows of scores whose target is the first class, or its derivative."""

    def computed(Z: Any) -> Any:
        Y = np.zeros_like(Z)
        Y[:, 0] = 1
        ell = loss.per_example(Z, Y, logits=loss.fused_with is not None)
        return loss.backward() if gradient else ell[:, None]

    return computed


def exp_shares(row: list[Any]) -> list[Any]:
    largest = max(row)
    powers = [mpmath.exp(z - largest) for z in row]
    return [power / mpmath.fsum(powers) for power in powers]


def log_sum_exp(row: list[Any]) -> Any:
    largest = max(row)
    return largest + mpmath.log(mpmath.fsum(mpmath.exp(z - largest) for z in row))


def logistic(z: Any) -> Any:
    return 1 / (1 + mpmath.exp(-z)) if z >= 0 else mpmath.exp(z) / (1 + mpmath.exp(z))


def softplus(z: Any) -> Any:
    return max(z, mpf(0)) + mpmath.log1p(mpmath.exp(-abs(z)))


ALPHA, SCALE = mpf(SELU.alpha), mpf(SELU.scale)
LEAK = mpf(0.01)
CASES = (
    Case("ReLU", ReLU().forward, lambda r: [max(r[0], mpf(0))]),
    Case("LeakyReLU(0.01)", LeakyReLU(0.01).forward, lambda r: [r[0] if r[0] > 0 else LEAK * r[0]]),
    Case("Sigmoid", Sigmoid().forward, lambda r: [logistic(r[0])]),
    Case("its derivative", slope(Sigmoid()),
         lambda r: [logistic(r[0]) * logistic(-r[0])], unit="1"),
    Case("Tanh", Tanh().forward, lambda r: [mpmath.tanh(r[0])]),
    Case("its derivative", slope(Tanh()),
         lambda r: [mpmath.sech(min(abs(r[0]), mpf(10000))) ** 2], unit="1"),
    Case("SELU", SELU().forward,
         lambda r: [SCALE * (r[0] if r[0] > 0 else ALPHA * mpmath.expm1(r[0]))], scores=False),
    Case("its derivative", slope(SELU()),
         lambda r: [SCALE if r[0] > 0 else SCALE * ALPHA * mpmath.exp(r[0])], unit="1"),
    Case("Softmax of four", Softmax().forward, exp_shares, columns=CLASSES),
    Case("CrossEntropyLoss, fused", fused(CrossEntropyLoss(), False),
         lambda r: [log_sum_exp(r) - r[0]], columns=CLASSES, unit="1 or the result", scores=False),
    Case("its derivative", fused(CrossEntropyLoss(), True),
         lambda r: [p - (k == 0) for k, p in enumerate(exp_shares(r))], columns=CLASSES, unit="1"),
    Case("BinaryCrossEntropyLoss, fused", fused(BinaryCrossEntropyLoss(), False),
         lambda r: [softplus(-r[0])], scores=False),
    Case("its derivative", fused(BinaryCrossEntropyLoss(), True),
         lambda r: [-logistic(-r[0])], unit="1"),
    Case("MSELoss", fused(MSELoss(), False),
         lambda r: [((r[0] - 1) ** 2 + mpmath.fsum(z * z for z in r[1:])) / len(r)],
         columns=CLASSES, scores=False),
)  # fmt: skip


def inputs(case: Case, dtype: Any, n: int, seed: int = 0) -> Any:
    """Rows of scores: half over the whole range of the type, half where the function bends."""
    rng = np.random.default_rng(seed)
    info = np.finfo(dtype)
    low, high = np.log(info.tiny), np.log(info.max / 8 if case.scores else np.sqrt(info.max) / 8)
    size = (n // 2, case.columns)
    wide = np.exp(rng.uniform(low, high, size)) * rng.choice([-1, 1], size)
    return np.concatenate([wide, rng.normal(0, 20, size)]).astype(dtype)


def ulps(case: Case, dtype: Any, n: int, seed: int = 0) -> float:
    """The largest error of `n` rows."""
    X = inputs(case, dtype, n, seed)
    with np.errstate(all="ignore"):
        found = np.asarray(case.computed(X))
    assert found.dtype == dtype
    worst = 0.0
    for row, answers in zip(X.tolist(), found.tolist(), strict=True):
        for answer, true in zip(answers, case.true([mpf(x) for x in row]), strict=True):
            size = abs(float(true))
            if case.unit != "the result":
                size = max(size, 1.0) if case.unit == "1 or the result" else 1.0
            ulp = mpf(float(np.spacing(dtype(size))))
            worst = max(worst, float(abs(mpf(answer) - true) / ulp))
    return worst


def measured(n: int) -> list[tuple[Case, list[float]]]:
    return [(case, [ulps(case, dtype, n) for dtype in DTYPES]) for case in CASES]


INTRODUCTION = """\
(app-accuracy)=
# How exact the functions are

A computed value is rarely the exact one; the question is by how many roundings it misses. The unit
is the *ulp*, the distance from a number to the next one of its type. The table gives the largest
error among {n:,} inputs, half of them spread over the whole range of the type and half around
zero, where the functions bend. The exact values are computed with 50 digits by mpmath, from the
same inputs.

Where a result is a difference of numbers near one, as in $1 - a$, its last digits cancel, and the
error is given in ulps of one: what matters to a sum of such terms. The softmax's own error comes
from the difference of two scores, which is rounded before it is exponentiated: a distance of 100 is
uncertain by some fifty ulps of the tiny probability $e^{{-100}}$, and by nothing that a loss could
notice.
"""


def page(results: list[tuple[Case, list[float]]], n: int) -> str:
    lines = [
        INTRODUCTION.format(n=n),
        "| | float32 | float64 | ulps of |",
        "|---|---:|---:|---|",
    ]
    lines += [
        f"| {case.name} | {errors[0]:.1f} | {errors[1]:.1f} | {case.unit} |"
        for case, errors in results
    ]
    lines += [
        "",
        "The metrics count, and are exact. `python _ext/measure_ulps.py` writes this page.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    count = 20_000
    PAGE.write_text(page(measured(count), count), encoding="utf-8")
