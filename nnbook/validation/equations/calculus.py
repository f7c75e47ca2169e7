"""Indices that run, derivatives by finite differences, expectations from draws."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np

from nnbook.validation.equations import values as arithmetic
from nnbook.validation.equations.expressions import (
    Expression,
    Index,
    IndexVariable,
    Point,
    Reference,
    as_index,
    below,
    numeric,
    stencil,
)
from nnbook.validation.equations.grammar import EquationError, Span
from nnbook.validation.equations.values import (
    RowVector,
    Samples,
    Value,
    as_value,
    call,
    shape_of,
)

# --- indices that run ---


@dataclass(frozen=True)
class Reduce(Expression):
    """A sum, product, maximum, minimum or arg max over indices."""

    name: str
    indices: tuple[str, ...]
    lower: Expression | None
    upper: Expression | None
    members: Expression | None
    condition: Expression | None
    body: Expression

    def compute(self, at: Point) -> Value:
        numbers, values = [], []
        for point in self.points(at):
            value = self.body.value(point)
            arithmetic.require_numeric(value)
            at.record.saw(value)
            values.append(value)
            numbers.append(point.indices[self.indices[-1]])
        if not values:
            raise EquationError("this index takes no value at all")
        return self.combine(values, numbers)

    def combine(self, values: list[Value], numbers: list[int]) -> Value:
        """Put the terms together."""
        if self.name in ("sum", "prod"):
            total = values[0]
            for value in values[1:]:
                total = (
                    arithmetic.add(total, value)
                    if self.name == "sum"
                    else arithmetic.multiply(total, value)
                )
            return total
        if not all(arithmetic.is_scalar(value) for value in values):
            raise EquationError(
                f"\\{self.name} over an index needs numbers: write the element, as in "
                r"\max_k z_k"
            )
        if self.name.startswith("arg"):
            best = (max if self.name == "argmax" else min)(values)
            if values.count(best) > 1:
                raise EquationError("a tie: bind values whose extremum is unique")
            return np.float64(numbers[values.index(best)])
        return (np.max if self.name == "max" else np.min)(np.array(values))

    def points(self, at: Point) -> Iterator[Point]:
        """Run through the values of the indices."""
        points = [at]
        for name in self.indices:
            points = [
                point.index(name, number)
                for point in points
                for number in self.range(name, point)
            ]
        for point in points:
            if self.condition is None or self.condition.value(point):
                yield point

    def range(self, name: str, at: Point) -> Any:
        """Tell which values an index takes."""
        if self.members is not None:
            members = self.members.value(at)
            if not isinstance(members, frozenset):
                raise EquationError("\\in needs a set of indices", self.members.span)
            return sorted(members)
        if self.lower is not None and self.upper is not None:
            bounds = self.lower.value(at), self.upper.value(at)
            return range(
                as_index(bounds[0], self.lower.span), as_index(bounds[1], self.upper.span) + 1
            )
        return index_range(name, (self.body, self.condition), at, self.span)


def free_indices(node: Any) -> list[str]:
    """List the indices that no sum of an expression runs over, in the order of the writing."""
    if isinstance(node, tuple):
        found = [name for item in node for name in free_indices(item)]
    elif isinstance(node, IndexVariable):
        found = [node.name]
    elif isinstance(node, Expression):
        parts = tuple(getattr(node, part.name) for part in fields(node))
        bound = node.indices if isinstance(node, Reduce) else ()
        found = [name for name in free_indices(parts) if name not in bound]
    else:
        found = []
    return list(dict.fromkeys(found))


def _uses(name: str, node: Any) -> Iterator[tuple[Index, int]]:
    """Yield the places where an index is used as one, unless a sum inside runs over it."""
    if isinstance(node, tuple):
        for item in node:
            yield from _uses(name, item)
        return
    if not isinstance(node, Expression) or (isinstance(node, Reduce) and name in node.indices):
        return
    if isinstance(node, Index):
        for position, step in enumerate(node.path):
            if name in free_indices(step):
                yield node, position
    for part in fields(node):
        yield from _uses(name, getattr(node, part.name))


def index_range(name: str, node: Any, at: Point, span: Span) -> list[int]:
    """Find the values of an index from the lengths of what it runs over.

    All uses without an offset must agree on the length; uses with one, `x_{t-1}`, narrow the
    range, and uses that depend on another index not yet set say nothing.
    """
    allowed: set[int] | None = None
    plain: dict[tuple[int, ...], str] = {}
    for use, position in _uses(name, node):
        keys = _keys(name, use, position, at)
        if keys is None:
            continue
        step = use.path[position]
        is_plain = isinstance(step, IndexVariable)
        if is_plain:
            plain.setdefault(tuple(keys), "")
        first = min(min(keys), 1) if is_plain else 1
        possible = {
            number
            for number in range(first, max(keys) + 2)
            if _shifted(step, name, number, at) in keys
        }
        allowed = possible if allowed is None else allowed & possible
    arrays = [keys for keys in plain if keys[0] == 1 and keys == tuple(range(1, len(keys) + 1))]
    if len(arrays) > 1:
        lengths = ", ".join(str(len(keys)) for keys in arrays)
        raise EquationError(
            f"the index {name} runs over axes of different lengths: {lengths}",
            span,
        )
    if allowed and not plain:
        raise EquationError(
            f"the index {name} only occurs shifted: count from 1 and write it plainly", span
        )
    if not allowed:
        raise EquationError(
            f"nothing says which values the index {name} takes: bind it, or write bounds", span
        )
    return sorted(allowed)


def _shifted(step: Expression, name: str, number: int, at: Point) -> int | None:
    try:
        return as_index(step.value(at.index(name, number)), step.span)
    except EquationError:
        return None


def _keys(name: str, use: Index, position: int, at: Point) -> list[int] | None:
    """List the values an index may take at one place; None when another index decides."""
    others = set(free_indices(use.path[position])) - {name}
    if not others <= set(at.indices):
        return None
    try:
        value = use.base.value(replace(at, draws=slice(None)))
        for step in use.path[:position]:
            if isinstance(value, Mapping):
                value = use.step(value, step.value(at), step.span)
            else:
                value = value[:, 0] if isinstance(value, Samples) else np.asarray(value)[0]
    except (EquationError, IndexError):
        return None
    if isinstance(value, Mapping):
        return list(value)
    shape = shape_of(value)
    if not shape:
        raise EquationError("an index too many: this is a number", use.path[position].span)
    return list(range(1, shape[0] + 1))


@dataclass(frozen=True)
class Derivative(Expression):
    """A partial derivative along everything that depends on its symbol.

    Of a number by an array it has the array's shape; of an array by an array it has the shape
    of the first followed by that of the second (numerator layout).
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
        if isinstance(body, RowVector):
            raise EquationError(
                "the derivative of a transposed vector: differentiate the vector"
            )
        at.record.saw(numeric(body))
        return by_elements(
            lambda position, x: self.moved(at, base, steps, position, x),
            numeric(self.target.value(at)),
        )

    def moved(
        self, at: Point, base: Value, steps: list[int], position: tuple[int, ...], x: float
    ) -> Value:
        """Evaluate the numerator with one element of the symbol set to x."""
        changed = _replaced(base, steps, position, x)
        return numeric(self.body.value(at.override(self.symbol.name, changed)))

    def require_dependence(self, at: Point) -> None:
        """Refuse to differentiate what does not depend on the symbol."""
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
        return by_elements(
            lambda i, value: call(self.name, function, [_replaced(x, [], i, value)]), x
        )


def by_elements(moved: Callable[[tuple[int, ...], float], Value], x: np.ndarray) -> Value:
    """Differentiate by every element of an array, the elements' axes last."""
    slopes = [stencil(partial(moved, i), float(x[i])) for i in np.ndindex(x.shape)]
    stacked = np.stack(slopes, axis=-1)
    result = stacked.reshape(stacked.shape[:-1] + x.shape)
    return np.float64(result) if result.shape == () else result


def _replaced(base: Value, steps: list[int], position: tuple[int, ...], x: float) -> Value:
    """Copy a value with one element replaced."""
    if isinstance(base, Mapping):
        inner = _replaced(base[steps[0]], steps[1:], position, x)
        return {**base, steps[0]: inner}
    if arithmetic.is_scalar(base):
        return np.float64(x)
    changed = np.array(base)
    changed[tuple(step - 1 for step in steps) + position] = x
    return changed


@dataclass(frozen=True)
class Expectation(Expression):
    """E[·] or Var[·], estimated from draws."""

    name: str
    body: Expression

    def compute(self, at: Point) -> Value:
        if at.draws is not None and at.draws.start is None:
            return np.float64(0)
        if at.draws is None:
            raise EquationError(
                "an expectation inside a derivative or a sum over samples cannot be evaluated"
            )
        values = np.asarray(self.body.value(at), dtype=float)
        if values.ndim != 1 or len(values) < 2:
            raise EquationError(
                f"{self.name} needs a number per draw: index the quantity inside, and bind it "
                "with Samples(…)"
            )
        at.record.saw(np.sqrt(np.mean(values**2)))
        return np.float64(np.mean(values) if self.name == "E" else np.var(values, ddof=1))


@dataclass(frozen=True)
class Remainder(Expression):
    """A remainder O(h^p): left out of the equation, its order is measured."""

    order: Expression

    def compute(self, at: Point) -> Value:
        return np.float64(0)


@dataclass(frozen=True)
class AtPoint(Expression):
    """The value with one quantity replaced."""

    body: Expression
    name: str
    where: Expression

    def compute(self, at: Point) -> Value:
        value = as_value(self.name, self.where.value(at))
        return self.body.value(at.override(self.name, value))
