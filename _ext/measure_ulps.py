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
    SGD,
    Adam,
    BinaryCrossEntropyLoss,
    CrossEntropyLoss,
    DenseLayer,
    Identity,
    LeakyReLU,
    Momentum,
    MSELoss,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)
from nnbook.utils import Standardizer, r2_score
from nnbook.validation import relative_error

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
    size: Callable[[list[Any]], Any] | None = None  # what the unit means, where it is neither
    domain: str = "whole range"  # or "squares", which must fit, too; "ordinary"; "probabilities"


def slope(activation: Any) -> Callable[[Any], Any]:
    """The derivative by each number; of the softmax, that of the first probability."""

    def computed(Z: Any) -> Any:
        activation.forward(Z)
        dA = np.zeros_like(Z)
        dA[:, 0] = 1
        return activation.backward(dA)

    return computed


def of_loss(loss: Any, gradient: bool, logits: bool = False) -> Callable[[Any], Any]:
    """The loss of rows whose target is the first class, or its derivative."""

    def computed(Z: Any) -> Any:
        Y = np.zeros_like(Z)
        Y[:, 0] = 1
        ell = loss.per_example(Z, Y, logits=logits)
        return loss.backward() if gradient else ell[:, None]

    return computed


def steps(optimizer: Any) -> Callable[[Any], Any]:
    """The first number of each row after a step against each of the others."""

    def computed(X: Any) -> Any:
        optimizer.reset()
        theta = X[:, 0].copy()
        for grad in X.T[1:]:
            optimizer.step(theta, grad.copy())
        return theta[:, None]

    return computed


def row_by_row(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda X: np.array([function(row) for row in X], X.dtype)


def neuron(row: Any) -> Any:
    """Three inputs, three weights, a bias."""
    layer = DenseLayer(3, 1, dtype=row.dtype)
    layer.W, layer.b = row[3:6, None], row[6:]
    return layer.forward(row[None, :3])[0]


def standardised(row: Any) -> Any:
    return Standardizer().fit(row[:, None]).transform(row[:, None])[:, 0]


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


def walk(rule: Callable[..., Any]) -> Callable[[list[Any]], list[Any]]:
    """θ before and after every step of a rule, which gets θ, g, t and what it remembers."""

    def places(row: list[Any]) -> list[Any]:
        theta, *gradients = row
        passed, memory = [theta], {"m": mpf(0), "v": mpf(0)}
        for t, g in enumerate(gradients, 1):
            theta = rule(theta, g, t, memory)
            passed.append(theta)
        return passed

    return places


def momentum(theta: Any, g: Any, t: int, memory: dict[str, Any]) -> Any:
    memory["v"] = mpf(0.9) * memory["v"] + g
    return theta - mpf(0.01) * memory["v"]


def adam(theta: Any, g: Any, t: int, memory: dict[str, Any]) -> Any:
    beta1, beta2 = mpf(0.9), mpf(0.999)
    memory["m"] = beta1 * memory["m"] + (1 - beta1) * g
    memory["v"] = beta2 * memory["v"] + (1 - beta2) * g * g
    m, v = memory["m"] / (1 - beta1**t), memory["v"] / (1 - beta2**t)
    return theta - mpf(0.001) * m / (mpmath.sqrt(v) + mpf(1e-8))


def moments(row: list[Any]) -> tuple[Any, Any]:
    mean = mpmath.fsum(row) / len(row)
    return mean, mpmath.sqrt(mpmath.fsum((x - mean) ** 2 for x in row) / len(row))


def r_squared(true: list[Any], pred: list[Any]) -> Any:
    mean, _ = moments(true)
    return 1 - mpmath.fsum((y - p) ** 2 for y, p in zip(true, pred, strict=True)) / mpmath.fsum(
        (y - mean) ** 2 for y in true)


def disagreement(a: list[Any], b: list[Any]) -> Any:
    return max(abs(x - y) for x, y in zip(a, b, strict=True)) / max(map(abs, a + b))


SGD_PATH = walk(lambda theta, g, t, memory: theta - mpf(0.01) * g)
MOMENTUM_PATH, ADAM_PATH = walk(momentum), walk(adam)
ALPHA, SCALE = mpf(SELU.alpha), mpf(SELU.scale)
LEAK = mpf(0.01)
CASES = (
    Case("Identity", Identity().forward, lambda r: r),
    Case("its derivative", slope(Identity()), lambda r: [mpf(1)]),
    Case("ReLU", ReLU().forward, lambda r: [max(r[0], mpf(0))]),
    Case("its derivative", slope(ReLU()), lambda r: [mpf(r[0] > 0)]),
    Case("LeakyReLU(0.01)", LeakyReLU(0.01).forward, lambda r: [r[0] if r[0] > 0 else LEAK * r[0]]),
    Case("its derivative", slope(LeakyReLU(0.01)), lambda r: [mpf(1) if r[0] > 0 else LEAK]),
    Case("Sigmoid", Sigmoid().forward, lambda r: [logistic(r[0])]),
    Case("its derivative", slope(Sigmoid()),
         lambda r: [logistic(r[0]) * logistic(-r[0])], unit="1"),
    Case("Tanh", Tanh().forward, lambda r: [mpmath.tanh(r[0])]),
    Case("its derivative", slope(Tanh()),
         lambda r: [mpmath.sech(min(abs(r[0]), mpf(10000))) ** 2], unit="1"),
    Case("SELU", SELU().forward,
         lambda r: [SCALE * (r[0] if r[0] > 0 else ALPHA * mpmath.expm1(r[0]))], domain="squares"),
    Case("its derivative", slope(SELU()),
         lambda r: [SCALE if r[0] > 0 else SCALE * ALPHA * mpmath.exp(r[0])], unit="1"),
    Case("Softmax of four", Softmax().forward, exp_shares, columns=CLASSES),
    Case("its derivative", slope(Softmax()),
         lambda r: [exp_shares(r)[0] * ((k == 0) - p) for k, p in enumerate(exp_shares(r))],
         columns=CLASSES, unit="1"),
    Case("DenseLayer of three inputs", row_by_row(neuron),
         lambda r: [mpmath.fsum([r[0] * r[3], r[1] * r[4], r[2] * r[5], r[6]])], columns=7,
         unit="the largest term", domain="squares",
         size=lambda r: max(abs(r[0] * r[3]), abs(r[1] * r[4]), abs(r[2] * r[5]), abs(r[6]))),
    Case("CrossEntropyLoss", of_loss(CrossEntropyLoss(), False),
         lambda r: [-mpmath.log(r[0])], columns=2, domain="probabilities"),
    Case("its derivative", of_loss(CrossEntropyLoss(), True),
         lambda r: [-1 / r[0], mpf(0)], columns=2, domain="probabilities"),
    Case("CrossEntropyLoss, fused", of_loss(CrossEntropyLoss(), False, logits=True),
         lambda r: [log_sum_exp(r) - r[0]], columns=CLASSES, unit="1 or the result",
         domain="squares"),
    Case("its derivative", of_loss(CrossEntropyLoss(), True, logits=True),
         lambda r: [p - (k == 0) for k, p in enumerate(exp_shares(r))], columns=CLASSES, unit="1"),
    Case("BinaryCrossEntropyLoss", of_loss(BinaryCrossEntropyLoss(), False),
         lambda r: [-mpmath.log(r[0])], domain="probabilities"),
    Case("its derivative", of_loss(BinaryCrossEntropyLoss(), True),
         lambda r: [-1 / r[0]], domain="probabilities"),
    Case("BinaryCrossEntropyLoss, fused", of_loss(BinaryCrossEntropyLoss(), False, logits=True),
         lambda r: [softplus(-r[0])], domain="squares"),
    Case("its derivative", of_loss(BinaryCrossEntropyLoss(), True, logits=True),
         lambda r: [-logistic(-r[0])], unit="1"),
    Case("MSELoss", of_loss(MSELoss(), False),
         lambda r: [((r[0] - 1) ** 2 + mpmath.fsum(z * z for z in r[1:])) / len(r)],
         columns=CLASSES, domain="squares"),
    Case("its derivative", of_loss(MSELoss(), True),
         lambda r: [2 * (z - (k == 0)) / len(r) for k, z in enumerate(r)],
         columns=CLASSES, domain="squares"),
    Case("SGD, three steps", steps(SGD(0.01)), lambda r: SGD_PATH(r)[-1:], columns=4,
         unit="the largest θ", size=lambda r: max(map(abs, SGD_PATH(r))), domain="squares"),
    Case("Momentum, three steps", steps(Momentum(0.01)), lambda r: MOMENTUM_PATH(r)[-1:], columns=4,
         unit="the largest θ", size=lambda r: max(map(abs, MOMENTUM_PATH(r))), domain="squares"),
    Case("Adam, three steps", steps(Adam(0.001)), lambda r: ADAM_PATH(r)[-1:], columns=4,
         unit="the largest θ", size=lambda r: max(map(abs, ADAM_PATH(r))), domain="squares"),
    Case("Standardizer, of four examples", row_by_row(standardised),
         lambda r: [(x - moments(r)[0]) / moments(r)[1] for x in r], columns=4,
         unit="1 or μ/σ", size=lambda r: max(mpf(1), abs(moments(r)[0] / moments(r)[1])),
         domain="squares"),
    Case("r2_score, of four examples", row_by_row(lambda row: [r2_score(row[:4], row[4:])]),
         lambda r: [r_squared(r[:4], r[4:])], columns=8, unit="1 or the result", domain="ordinary"),
    Case("relative_error", row_by_row(lambda row: [relative_error(row[:2], row[2:])]),
         lambda r: [disagreement(r[:2], r[2:])], columns=4, unit="1"),
)  # fmt: skip


def inputs(case: Case, dtype: Any, n: int, seed: int = 0) -> Any:
    """Rows of numbers: half over the whole range of the type, half where the function bends."""
    rng = np.random.default_rng(seed)
    info, size = np.finfo(dtype), (n // 2, case.columns)
    if case.domain == "probabilities":
        small, near = (np.exp(rng.uniform(np.log(low), 0, size)) for low in (info.eps, info.eps))
        if case.columns > 1:  # the first loss is right down to the smallest number
            small = np.exp(rng.uniform(np.log(info.tiny), 0, size))
        return np.clip(np.concatenate([small, 1 - near]), info.tiny, 1 - info.eps).astype(dtype)
    high = {"whole range": info.max / 8, "squares": np.sqrt(info.max) / 8, "ordinary": 1e3}
    low = info.tiny if case.domain != "ordinary" else 1e-3
    wide = np.exp(rng.uniform(np.log(low), np.log(high[case.domain]), size))
    wide *= rng.choice([-1, 1], size)
    return np.concatenate([wide, rng.normal(0, 20, size)]).astype(dtype)


def ulps(case: Case, dtype: Any, n: int, seed: int = 0) -> float:
    """The largest error of `n` rows."""
    X = inputs(case, dtype, n, seed)
    with np.errstate(all="ignore"):
        found = np.asarray(case.computed(X))
    assert found.dtype == dtype
    worst = 0.0
    for row, answers in zip(X.tolist(), found.tolist(), strict=True):
        exact = [mpf(x) for x in row]
        for answer, true in zip(answers, case.true(exact), strict=True):
            size = abs(float(true))
            if case.size is not None:
                size = float(case.size(exact))
            elif case.unit != "the result":
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
notice. Where terms are added whose sum may be near zero, the largest term is the measure, and for a
rule of the optimizers the largest of the values that θ has passed through.
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
        "The other metrics count, and are exact; the initialisers scale random numbers, with two",
        "roundings at most. `python _ext/measure_ulps.py` writes this page.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    count = 20_000
    PAGE.write_text(page(measured(count), count), encoding="utf-8")
