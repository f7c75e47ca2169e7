"""Guess why two sides differ: a sign, a factor, a transpose, an index."""

from __future__ import annotations

import numpy as np

from nnbook.validation.equations.quantities import Quantities

__all__ = ["hint"]


def hint(left: list[np.ndarray], right: list[np.ndarray], quantities: Quantities) -> str:
    """Return a guess in words, or nothing."""
    a = np.concatenate([np.ravel(item) for item in left])
    b = np.concatenate([np.ravel(item) for item in right])
    return factor_hint(a, b, quantities) or transpose_hint(left, right) or shift_hint(a, b)


def factor_hint(a: np.ndarray, b: np.ndarray, quantities: Quantities) -> str:
    """Recognise a constant factor, and the bound number it might be."""
    if not np.any(a) or not np.any(b):
        return "one side is zero everywhere"
    factor = float(a @ b / (b @ b))
    if len(a) < 2 and not any(_near(factor, number) for number in (-1.0, *_numbers(quantities))):
        return ""
    if not np.allclose(a, factor * b, rtol=1e-6, atol=1e-9 * float(np.max(np.abs(a)))):
        return ""
    if _near(factor, -1.0):
        return "left = −right everywhere: a sign"
    for number, spelled in _numbers(quantities).items():
        if _near(factor, number):
            return f"left = {spelled} × right everywhere: a factor {spelled}"
    return f"left = {factor:.6g} × right everywhere: a constant factor"


def _numbers(quantities: Quantities) -> dict[float, str]:
    """Collect the bound numbers and their inverses, with their signs."""
    numbers: dict[float, str] = {}
    for name, value in quantities.values.items():
        if isinstance(value, float) and value not in (0.0, 1.0):
            numbers |= {float(value): name, 1 / float(value): f"1/{name}"}
            numbers |= {-float(value): f"−{name}", -1 / float(value): f"−1/{name}"}
    return numbers | {2.0: "2", 0.5: "1/2"}


def _near(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-6 * max(abs(a), abs(b))


def transpose_hint(left: list[np.ndarray], right: list[np.ndarray]) -> str:
    """Recognise a transposed square matrix."""
    square = all(a.ndim == 2 and a.shape == b.T.shape for a, b in zip(left, right))
    if square and all(np.allclose(a, b.T) for a, b in zip(left, right)):
        return "left = rightᵀ: a transpose"
    return ""


def shift_hint(a: np.ndarray, b: np.ndarray) -> str:
    """Recognise an index off by one, and a constant difference."""
    if len(a) > 2 and np.allclose(a[1:], b[:-1]):
        return "each left element equals the right one before it: an index is off by one"
    if len(a) > 2 and np.allclose(a[:-1], b[1:]):
        return "each left element equals the right one after it: an index is off by one"
    if len(a) > 2 and np.allclose(a - b, (a - b)[0]):
        return f"left = right + {float((a - b)[0]):.6g} everywhere: a constant term"
    return ""
