"""Derivatives of bound functions, by finite differences.

A five-point stencil with a step of 10⁻³ is exact to about ten digits in float64: its error,
h⁴ f⁗′/30, and the rounding, 10⁻¹⁶/h, are both near 10⁻¹³.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from nnbook.validation.equations import algebra
from nnbook.validation.equations.algebra import Value
from nnbook.validation.equations.expressions import Expression, Index, Point, Reference, as_index, below, numeric
from nnbook.validation.equations.messages import EquationError

from nnbook.validation.equations.quantities import call

__all__ = ["Derivative", "Gradient", "slope", "stencil"]

STEP = 1e-3


def stencil(function: Callable[[float], Value], x: float, step: float = STEP) -> Value:
    """Differentiate a function of one number at x, with five points.

    Parameters
    ----------
    function : callable
        Takes a number and returns numbers of any shape.
    x : float
        Where.
    step : float
        The distance of the points, relative to |x| where that is larger than 1.

    Examples
    --------
    >>> float(round(stencil(lambda x: x**3, 2.0), 9))
    12.0
    """
    h = step * max(1.0, abs(x))
    near = function(x + h) - function(x - h)
    far = function(x + 2 * h) - function(x - 2 * h)
    return (8 * near - far) / (12 * h)


def slope(function: Callable[[Value], Value], x: Value, order: int = 1) -> Value:
    """Differentiate a function that works element by element, `order` times."""
    if order == 0:
        return numeric(function(x))
    if np.shape(function(x)) != np.shape(x):
        raise EquationError("a prime needs a function that works element by element: write \\frac{\\partial f}{\\partial x}")
    # Each further derivative divides the rounding by the step, so the step grows with the order.
    h = STEP if order == 1 else 1e-2 * order
    near = slope(function, x + h, order - 1) - slope(function, x - h, order - 1)
    far = slope(function, x + 2 * h, order - 1) - slope(function, x - 2 * h, order - 1)
    farther = slope(function, x + 3 * h, order - 1) - slope(function, x - 3 * h, order - 1)
    return (45 * near - 9 * far + farther) / (60 * h)


@dataclass(frozen=True)
class Derivative(Expression):
    """A partial derivative along everything that depends on its symbol.

    Of a number by an array it has the array's shape; of an array by an array it has the shape of
    the first followed by that of the second (numerator layout).
    """

    body: Expression
    symbol: Reference
    target: Expression

    @property
    def path(self) -> tuple[Expression, ...]:
        """The indices of the element that is moved."""
        return self.target.path if isinstance(self.target, Index) else ()

    def compute(self, at: Point) -> Value:
        self.require_dependence(at)
        base = at.quantities.value(self.symbol.name, at.overrides)
        steps = [as_index(step.value(at), step.span) for step in self.path]
        body = self.body.value(at)
        if isinstance(body, algebra.RowVector):
            raise EquationError("the derivative of a transposed vector: differentiate the vector")
        at.record.saw(numeric(body))
        return by_elements(
            lambda position, x: self.moved(at, base, steps, position, x), numeric(self.target.value(at))
        )

    def moved(self, at: Point, base: Value, steps: list[int], position: tuple[int, ...], x: float) -> Value:
        """Evaluate the numerator with one element of the symbol set to x."""
        changed = _replaced(base, steps, position, x)
        return numeric(self.body.value(at.override(self.symbol.name, changed)))

    def require_dependence(self, at: Point) -> None:
        """Refuse to differentiate what does not depend on the symbol: the derivative would be 0."""
        names = {node.name for node in below(self.body) if isinstance(node, Reference)}
        reached = frozenset().union(*(at.quantities.reach(name) for name in names))
        if self.symbol.name not in reached:
            name = next(iter(sorted(names)), "J")
            raise EquationError(
                f"the numerator does not depend on {self.symbol.latex}: bind it as a function, "
                f"{name}=lambda {self.symbol.name}: …"
            )


@dataclass(frozen=True)
class Gradient(Expression):
    """The gradient of a bound function at a point: `\\nabla J(\\theta)`."""

    name: str
    argument: Expression

    def compute(self, at: Point) -> Value:
        x = numeric(self.argument.value(at))
        function = at.quantities.values[self.name]
        at.record.saw(numeric(call(self.name, function, [x])))
        return by_elements(lambda i, value: call(self.name, function, [_replaced(x, [], i, value)]), x)


def by_elements(moved: Callable[[tuple[int, ...], float], Value], x: np.ndarray) -> Value:
    """Differentiate by every element of an array, the elements' axes last."""
    slopes = [stencil(lambda value, i=i: moved(i, value), float(x[i])) for i in np.ndindex(x.shape)]  # type: ignore[misc]
    stacked = np.stack(slopes, axis=-1)
    result = stacked.reshape(stacked.shape[:-1] + x.shape)
    return np.float64(result) if result.shape == () else result


def _replaced(base: Value, steps: list[int], position: tuple[int, ...], x: float) -> Value:
    """Copy a value with one element replaced."""
    if isinstance(base, Mapping):
        inner = _replaced(base[steps[0]], steps[1:], position, x)
        return {**base, steps[0]: inner}
    if algebra.is_scalar(base):
        return np.float64(x)
    changed = np.array(base)
    changed[tuple(step - 1 for step in steps) + position] = x
    return changed
