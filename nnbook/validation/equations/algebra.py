"""Products, sums, powers and transposes as the book writes them, strict about shapes.

NumPy's broadcasting is generous: it adds a column to a row and makes a matrix of them. On paper
that is a mistake, and a mistake must not evaluate. Here `+` takes equal shapes, a number, or a
vector along the last axis of a matrix (the bias); everything else is refused with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nnbook.validation.equations.messages import EquationError

__all__ = ["Each", "Literal", "RowVector", "Samples", "shape_of"]

Value = Any


class RowVector(np.ndarray):
    """A transposed vector: `x^\\top`."""


class Literal(np.ndarray):
    """A matrix written out in numbers or symbols."""


class Samples(np.ndarray):
    """Draws of a random quantity for E[·] and Var[·]: axis 0 counts the draws.

    Examples
    --------
    >>> import numpy as np
    >>> w = np.random.default_rng(0).normal(size=(1000, 3))
    >>> Samples(w).shape
    (1000, 3)
    """

    def __new__(cls, draws: Any) -> Samples:
        """View an array as draws."""
        return np.asarray(draws, dtype=float).view(cls)


class Each(np.ndarray):
    """Values of one number: the equation must hold for each of them in turn.

    Examples
    --------
    >>> Each([-1.5, 0.5, 2.0]).shape
    (3,)
    """

    def __new__(cls, values: Any) -> Each:
        """View a sequence as values of one quantity."""
        return np.asarray(values, dtype=float).view(cls)


def shape_of(value: Value) -> tuple[int, ...]:
    """Return the shape of a value; of samples, the shape of one draw."""
    shape = np.shape(value)
    return shape[1:] if isinstance(value, Samples) else shape


def is_scalar(value: Value) -> bool:
    """Tell whether a value is a number."""
    return shape_of(value) == ()


def describe(value: Value) -> str:
    """Name a value's kind and shape, for messages."""
    if isinstance(value, Mapping):
        return f"a family with keys {', '.join(map(str, value))}"
    if callable(value):
        return "a function"
    shape = shape_of(value)
    if shape == ():
        return "a number"
    if isinstance(value, RowVector):
        return f"a transposed vector of shape {shape}"
    return f"shape {shape}"


def require_numeric(value: Value) -> None:
    """Refuse families and functions where numbers are needed."""
    if isinstance(value, (Mapping, frozenset)):
        raise EquationError(f"{describe(value)} needs an index here")


def aligned(left: Value, right: Value, sign: str) -> tuple[Value, Value]:
    """Check that two values can be combined element by element."""
    require_numeric(left)
    require_numeric(right)
    if is_scalar(left) or is_scalar(right):
        return _spread(left, right)
    a, b = shape_of(left), shape_of(right)
    if a == b and isinstance(left, RowVector) == isinstance(right, RowVector):
        return left, right
    trailing = a[-1:] == b or a == b[-1:]
    if trailing and len(a) != len(b) and not isinstance(left, RowVector) | isinstance(right, RowVector):
        return left, right
    raise EquationError(f"{sign} of {describe(left)} and {describe(right)}: the shapes do not fit")


def _spread(left: Value, right: Value) -> tuple[Value, Value]:
    """Give a number per draw the axes it needs to meet a vector per draw."""
    if isinstance(left, Samples) and is_scalar(left) and not is_scalar(right):
        left = left.reshape(left.shape + (1,) * len(shape_of(right)))
    elif isinstance(right, Samples) and is_scalar(right) and not is_scalar(left):
        right = right.reshape(right.shape + (1,) * len(shape_of(left)))
    return left, right


def add(left: Value, right: Value) -> Value:
    """Add; numbers and a trailing bias vector are broadcast."""
    left, right = aligned(left, right, "the sum")
    return left + right


def elementwise(left: Value, right: Value) -> Value:
    """Multiply element by element: ⊙."""
    if is_scalar(left) or is_scalar(right):
        raise EquationError(r"\odot joins arrays; for a number write \cdot or nothing")
    left, right = aligned(left, right, r"\odot")
    return left * right


def divide(left: Value, right: Value) -> Value:
    """Divide element by element."""
    left, right = aligned(left, right, "the quotient")
    with np.errstate(divide="ignore", invalid="ignore"):
        return left / right


def scale(left: Value, right: Value) -> Value:
    """Multiply with a number, or two vectors into their inner product: `\\cdot`."""
    if is_scalar(left) or is_scalar(right):
        left, right = aligned(left, right, "the product")
        return left * right
    if len(shape_of(left)) == len(shape_of(right)) == 1 and shape_of(left) == shape_of(right):
        return np.float64(np.dot(np.asarray(left), np.asarray(right)))
    raise EquationError(
        rf"\cdot of {describe(left)} and {describe(right)}: write them side by side "
        r"for the matrix product, \odot for the element-wise one"
    )


def multiply(left: Value, right: Value) -> Value:
    """Multiply two factors that stand side by side: the matrix product, or a scaling."""
    require_numeric(left)
    require_numeric(right)
    if is_scalar(left) or is_scalar(right):
        left, right = aligned(left, right, "the product")
        return left * right
    a, b = shape_of(left), shape_of(right)
    if len(a) == len(b) == 1:
        return _vectors(left, right)
    if len(a) > 2 or len(b) > 2:
        raise EquationError(f"the product of {describe(left)} and {describe(right)}: write it with indices")
    if isinstance(right, RowVector) and len(a) == 2:
        raise EquationError(f"a matrix times a transposed vector, {a} and {b}")
    if a[-1] != b[0]:
        raise EquationError(f"the matrix product of {describe(left)} and {describe(right)}: {a[-1]} is not {b[0]}")
    return left @ right


def _vectors(left: Value, right: Value) -> Value:
    row, column = isinstance(left, RowVector), not isinstance(right, RowVector)
    a, b = np.asarray(left), np.asarray(right)
    if isinstance(left, Samples) or isinstance(right, Samples):
        raise EquationError("a product of vectors inside an expectation: write the sum over its index")
    if not row and not column:
        return np.outer(a, b)
    if row and column and a.shape == b.shape:
        return np.float64(a @ b)
    if row and column:
        raise EquationError(f"the inner product of {describe(left)} and {describe(right)}")
    raise EquationError(
        "two vectors side by side are ambiguous: write x^\\top y, x y^\\top or x \\odot y"
    )


def transpose(value: Value) -> Value:
    """Transpose a vector or a matrix."""
    require_numeric(value)
    dimensions = len(shape_of(value))
    if isinstance(value, Samples):
        raise EquationError("a transpose inside an expectation: write the sum over its index")
    if dimensions == 1:
        return np.asarray(value) if isinstance(value, RowVector) else np.asarray(value).view(RowVector)
    if dimensions == 2:
        return np.asarray(value).T
    raise EquationError(f"the transpose of {describe(value)}")


def power(base: Value, exponent: Value) -> Value:
    """Raise to a power: numbers and vectors element by element, a square matrix to -1 its inverse."""
    require_numeric(base)
    if not is_scalar(exponent):
        if is_scalar(base):
            return np.power(base, exponent)
        raise EquationError(f"an exponent of {describe(exponent)}")
    if len(shape_of(base)) < 2:
        with np.errstate(divide="ignore", invalid="ignore"):
            return base**exponent
    if exponent == -1 and shape_of(base)[0] == shape_of(base)[1]:
        return np.linalg.inv(base)
    raise EquationError(
        r"a power of a matrix is ambiguous: write A A for the product, A^{\odot 2} for the "
        "element-wise power"
    )
