"""What a display means once its symbols are known: expressions that evaluate themselves."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from math import prod
from typing import Any

import numpy as np

from nnbook.validation.equations import values as arithmetic
from nnbook.validation.equations.grammar import EquationError, Span
from nnbook.validation.equations.values import (
    Literal,
    Quantities,
    RowVector,
    Samples,
    Value,
    call,
    describe,
    shape_of,
)


@dataclass
class Record:
    """What happened during the evaluation of one equation."""

    choices: dict[Span, set[int]] = field(default_factory=dict)
    largest: float = 0.0

    def saw(self, value: Value) -> None:
        """Remember the largest magnitude met: the scale on which a zero is judged."""
        if np.size(value):
            self.largest = max(self.largest, float(np.max(np.abs(value))))


@dataclass(frozen=True)
class Point:
    """Where an expression is evaluated."""

    quantities: Quantities
    indices: Mapping[str, int] = field(default_factory=dict)
    overrides: Mapping[str, Value] = field(default_factory=dict)
    record: Record = field(default_factory=Record)
    after: bool = False
    draws: slice | None = None
    moved: bool = False

    def index(self, name: str, value: int) -> "Point":
        """Set one index."""
        return replace(self, indices={**self.indices, name: value})

    def override(self, name: str, value: Value) -> "Point":
        """Replace one quantity, as a derivative does."""
        return replace(self, overrides={**self.overrides, name: value}, moved=True)


@dataclass(frozen=True)
class Expression:
    """A part of an equation that has a value."""

    span: Span

    def value(self, at: Point) -> Value:
        """Evaluate, and point at this place when something is wrong."""
        try:
            return self.compute(at)
        except EquationError as error:
            if error.span is None:
                error.span = self.span
            raise
        except Exception as error:
            raise EquationError(f"this cannot be evaluated: {error}", self.span) from error

    def compute(self, at: Point) -> Value:
        """Evaluate; each kind of node says how."""
        raise NotImplementedError


def below(node: Any) -> Iterator[Expression]:
    """Yield an expression and everything below it."""
    if isinstance(node, tuple):
        for item in node:
            yield from below(item)
    elif isinstance(node, Expression):
        yield node
        for part in fields(node):
            yield from below(getattr(node, part.name))


def numeric(value: Value) -> np.ndarray:
    """Return a value as a plain array of float64."""
    arithmetic.require_numeric(value)
    if callable(value):
        raise EquationError("a function must be applied: write its argument")
    return np.asarray(value, dtype=float)


def is_row(value: Value) -> bool:
    """Tell whether a value is a transposed vector."""
    return isinstance(value, RowVector)


# --- numbers, symbols, indices ---


@dataclass(frozen=True)
class Constant(Expression):
    """A number."""

    number: float
    text: str = ""

    def compute(self, at: Point) -> Value:
        return np.float64(self.number)


@dataclass(frozen=True)
class Reference(Expression):
    """A bound symbol."""

    name: str
    latex: str

    def compute(self, at: Point) -> Value:
        if at.after:
            if self.name not in at.quantities.after:
                raise EquationError(
                    f"{self.latex} stands before \\leftarrow: give its new value, "
                    f'after={{"{self.name}": …}}'
                )
            at.quantities.used_after.add(self.name)
            return at.quantities.after[self.name]
        value = at.quantities.value(self.name, at.overrides)
        if not isinstance(value, Samples):
            return value
        if at.draws is None:
            raise EquationError(
                f"{self.latex} is bound to samples: it belongs inside \\mathbb{{E}}[…] or "
                r"\mathrm{Var}[…]"
            )
        return value[at.draws]


@dataclass(frozen=True)
class IndexVariable(Expression):
    """An index, as a number."""

    name: str

    def compute(self, at: Point) -> Value:
        if self.name not in at.indices:
            raise EquationError(f"nothing says which values the index {self.name} takes")
        return np.float64(at.indices[self.name])


@dataclass(frozen=True)
class Index(Expression):
    """An element, a row, a layer or a step: `x_{ij}`, `W^{[l]}`."""

    base: Expression
    path: tuple[Expression, ...]

    def compute(self, at: Point) -> Value:
        value = self.base.value(at)
        for step in self.path:
            # An index is a number of its own: it is never taken from behind the arrow.
            value = self.step(value, step.value(replace(at, after=False)), step.span)
        return value

    def step(self, value: Value, index: Value, span: Span) -> Value:
        """Take one index."""
        number = as_index(index, span)
        if isinstance(value, Mapping):
            if number not in value:
                raise EquationError(
                    f"index {number} is not among {', '.join(map(str, value))}", span
                )
            return value[number]
        if not shape_of(value):
            raise EquationError("an index too many: this is a number", span)
        length = shape_of(value)[0]
        if not 1 <= number <= length:
            raise EquationError(f"index {number} is outside 1 … {length}", span)
        if isinstance(value, Samples):
            return value[:, number - 1]
        return np.asarray(value)[number - 1]


def as_index(value: Value, span: Span) -> int:
    """Read a value as an index."""
    if np.shape(value) != () or value != int(value):
        raise EquationError(f"{value} is no index", span)
    return int(value)


# --- sums, products, powers ---


@dataclass(frozen=True)
class Total(Expression):
    """A sum of terms."""

    signs: tuple[str, ...]
    terms: tuple[Expression, ...]

    def compute(self, at: Point) -> Value:
        total: Value = None
        for sign, term in zip(self.signs, self.terms, strict=True):
            value = term.value(at)
            arithmetic.require_numeric(value)
            at.record.saw(value)
            value = -value if sign == "-" else value
            total = value if total is None else arithmetic.add(total, value)
        return total


@dataclass(frozen=True)
class Product(Expression):
    """Factors in a row. Juxtaposition binds tighter than ⊙, and a mix of both is refused."""

    operators: tuple[str, ...]
    factors: tuple[Expression, ...]

    def compute(self, at: Point) -> Value:
        result: Value = None
        joined, matrix_product = "", False
        for operator, factor in zip(self.operators, self.factors, strict=True):
            value = factor.value(at)
            if result is None:
                arithmetic.require_numeric(value)
                result = value
                continue
            both_arrays = not arithmetic.is_scalar(result) and not arithmetic.is_scalar(value)
            matrix_product |= both_arrays and operator == ""
            joined = operator if operator in ("\\odot", "\\oslash") else joined
            if joined and matrix_product:
                raise EquationError(
                    f"a matrix product beside {joined} is ambiguous: parenthesise one of them",
                    self.span,
                )
            result = self.join(operator, result, value, factor.span)
        return result

    def join(self, operator: str, left: Value, right: Value, span: Span) -> Value:
        """Join two factors with their operator."""
        joins = {
            "": arithmetic.multiply,
            "\\odot": arithmetic.elementwise,
            "\\oslash": arithmetic.divide,
            "/": arithmetic.divide,
            "\\cdot": arithmetic.scale,
            "\\times": arithmetic.scale,
        }
        return joins[operator](left, right)


@dataclass(frozen=True)
class Quotient(Expression):
    """A fraction; of arrays, element by element."""

    numerator: Expression
    denominator: Expression

    def compute(self, at: Point) -> Value:
        return arithmetic.divide(self.numerator.value(at), self.denominator.value(at))


@dataclass(frozen=True)
class Power(Expression):
    """A power; `elementwise` for `A^{\\odot 2}`."""

    base: Expression
    exponent: Expression
    elementwise: bool = False

    def compute(self, at: Point) -> Value:
        base, exponent = self.base.value(at), self.exponent.value(replace(at, after=False))
        return base**exponent if self.elementwise else arithmetic.power(base, exponent)


@dataclass(frozen=True)
class RootOf(Expression):
    """A root, element by element."""

    degree: Expression | None
    body: Expression

    def compute(self, at: Point) -> Value:
        body = self.body.value(at)
        arithmetic.require_numeric(body)
        with np.errstate(invalid="ignore"):
            return np.sqrt(body) if self.degree is None else body ** (1 / self.degree.value(at))


@dataclass(frozen=True)
class Transpose(Expression):
    """A transpose."""

    body: Expression

    def compute(self, at: Point) -> Value:
        return arithmetic.transpose(self.body.value(at))


# --- functions ---


def _softplus_free_log(value: Value) -> Value:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(value)


def diagonal(value: Value) -> Value:
    """Return the diagonal matrix of a vector, or the diagonal of a matrix."""
    if len(shape_of(value)) not in (1, 2) or isinstance(value, RowVector):
        raise EquationError(f"diag of {describe(value)}")
    return np.diag(np.asarray(value))


ELEMENTWISE = {
    "log": _softplus_free_log,
    "ln": _softplus_free_log,
    "exp": np.exp,
    "tanh": np.tanh,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "arctan": np.arctan,
    "ceil": np.ceil,
    "floor": np.floor,
    "sign": np.sign,
    "sgn": np.sign,
}
OF_ARRAYS = {
    "det": np.linalg.det,
    "diag": diagonal,
    "tr": np.trace,
    "trace": np.trace,
    "vec": lambda value: np.asarray(value).reshape(-1),
}


@dataclass(frozen=True)
class Elementary(Expression):
    """A function the notation knows by name: log, exp, tanh, diag, …"""

    name: str
    body: Expression

    def compute(self, at: Point) -> Value:
        value = self.body.value(at)
        arithmetic.require_numeric(value)
        function = ELEMENTWISE.get(self.name) or OF_ARRAYS[self.name]
        try:
            return function(value)  # type: ignore[operator]
        except (ValueError, np.linalg.LinAlgError) as error:
            raise EquationError(f"{self.name} of {describe(value)}: {error}") from None


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
        raise EquationError(
            "a prime needs a function that works element by element: write "
            r"\frac{\partial f}{\partial x}"
        )
    # Each further derivative divides the rounding by the step: it grows with the order.
    h = STEP if order == 1 else 1e-2 * order
    near = slope(function, x + h, order - 1) - slope(function, x - h, order - 1)
    far = slope(function, x + 2 * h, order - 1) - slope(function, x - 2 * h, order - 1)
    farther = slope(function, x + 3 * h, order - 1) - slope(function, x - 3 * h, order - 1)
    return (45 * near - 9 * far + farther) / (60 * h)


@dataclass(frozen=True)
class Application(Expression):
    """A bound function applied, `f(x)`, or one of its derivatives, `f''(x)`."""

    name: str
    arguments: tuple[Expression, ...]
    order: int = 0

    def compute(self, at: Point) -> Value:
        values = [argument.value(at) for argument in self.arguments]
        function = at.quantities.values[self.name]
        rows = [isinstance(value, RowVector) for value in values]
        if any(rows):
            values = [np.asarray(value) for value in values]
        result = self.result(function, values)
        # A function that keeps the shape of a transposed vector has worked element by element.
        return (
            result.view(RowVector)
            if any(rows) and shape_of(result) == shape_of(values[0])
            else result
        )

    def result(self, function: Any, values: list[Value]) -> Value:
        """Call the function, or differentiate it."""
        if self.order == 0:
            return call(self.name, function, values)
        if len(values) != 1:
            raise EquationError(
                r"a prime needs a function of one argument: write \frac{\partial f}{\partial x}"
            )
        return slope(lambda x: call(self.name, function, [x]), values[0], self.order)


@dataclass(frozen=True)
class Extreme(Expression):
    """`\\max` or `\\min` of its arguments, element by element; each must win somewhere."""

    name: str
    arguments: tuple[Expression, ...]

    def compute(self, at: Point) -> Value:
        values = [argument.value(at) for argument in self.arguments]
        if len(values) == 1:
            return (np.max if self.name == "max" else np.min)(values[0])
        best = values[0]
        for value in values[1:]:
            best, value = arithmetic.aligned(best, value, "\\" + self.name)
            best = (np.maximum if self.name == "max" else np.minimum)(best, value)
        if not at.moved:
            for number, value in enumerate(values):
                if np.any(value == best):
                    at.record.choices.setdefault(self.span, set()).add(number)
        return best


@dataclass(frozen=True)
class Absolute(Expression):
    """An absolute value."""

    body: Expression

    def compute(self, at: Point) -> Value:
        return np.abs(self.body.value(at))


@dataclass(frozen=True)
class Norm(Expression):
    """A norm: `\\|x\\|_2`, `\\|x\\|_1`, `\\|x\\|_\\infty`, `\\|A\\|_F`."""

    body: Expression
    order: str

    def compute(self, at: Point) -> Value:
        value = self.body.value(at)
        arithmetic.require_numeric(value)
        dimensions = len(shape_of(value))
        if isinstance(self.body, Transpose):
            raise EquationError("a norm does not see a transpose: leave it out")
        if dimensions == 0:
            raise EquationError("a norm of a number: write |x|")
        if (dimensions == 2) != (self.order == "F"):
            raise EquationError(
                f"the norm of {describe(value)}: a matrix takes \\|A\\|_F, a vector \\|x\\|, "
                r"\|x\|_1 or \|x\|_2"
            )
        flat = np.abs(np.asarray(value)).reshape(-1)
        if self.order == "1":
            return np.float64(flat.sum())
        return np.float64(np.sqrt((flat**2).sum()))


# --- conditions and cases ---


COMPARISONS = {
    "=": np.equal,
    "\\ne": np.not_equal,
    "\\neq": np.not_equal,
    "<": np.less,
    "\\lt": np.less,
    ">": np.greater,
    "\\gt": np.greater,
    "\\le": np.less_equal,
    "\\leq": np.less_equal,
    "\\ge": np.greater_equal,
    "\\geq": np.greater_equal,
}


@dataclass(frozen=True)
class Condition(Expression):
    """A condition: 1 where it holds and 0 where it does not."""

    sides: tuple[Expression, ...]
    signs: tuple[str, ...]

    def compute(self, at: Point) -> Value:
        values = [side.value(at) for side in self.sides]
        holds: Value = np.float64(1)
        for left, sign, right in zip(values, self.signs, values[1:], strict=False):
            if isinstance(right, frozenset):
                holds = holds * float(as_index(left, self.span) in right)
                continue
            left, right = arithmetic.aligned(left, right, sign)
            holds = holds * COMPARISONS[sign](left, right).astype(float)
        return holds


@dataclass(frozen=True)
class Iverson(Expression):
    """An indicator, 1 where its condition holds; it must hold somewhere and fail somewhere."""

    condition: Expression

    def compute(self, at: Point) -> Value:
        value = self.condition.value(at)
        if not at.moved:
            at.record.choices.setdefault(self.span, set()).update(
                int(x) for x in np.unique(value)
            )
        return value


@dataclass(frozen=True)
class Kronecker(Expression):
    """Kronecker's δ."""

    left: Expression
    right: Expression

    def compute(self, at: Point) -> Value:
        return np.float64(self.left.value(at) == self.right.value(at))


@dataclass(frozen=True)
class Piecewise(Expression):
    """Cases. Exactly one row must apply at every element, and every row somewhere."""

    rows: tuple[tuple[Expression, tuple[Expression, ...]], ...]

    def compute(self, at: Point) -> Value:
        holds = self.conditions(at)
        values = [value.value(at) for value, _ in self.rows]
        parts = [item for item in [*holds, *values] if shape_of(item)]
        if len({(shape_of(item), isinstance(item, RowVector)) for item in parts}) > 1:
            raise EquationError("the rows of these cases have different shapes")
        shape = shape_of(parts[0]) if parts else ()
        count = np.broadcast_to(sum(holds), shape)
        if np.any(count != 1):
            raise EquationError(
                "no row of these cases applies"
                if np.any(count == 0)
                else "two rows of these cases overlap"
            )
        result = np.zeros(shape)
        for number, (condition, value) in enumerate(zip(holds, values, strict=True)):
            if np.any(condition) and not at.moved:
                at.record.choices.setdefault(self.span, set()).add(number)
            result = np.where(condition, value, result)
        if shape == ():
            return np.float64(result)
        return result.view(RowVector) if isinstance(parts[0], RowVector) else result

    def conditions(self, at: Point) -> list[Value]:
        """Evaluate the conditions; a row without one takes what is left."""
        given = [
            [condition.value(at) for condition in conditions] for _, conditions in self.rows
        ]
        stated = [prod(row) for row in given if row]
        rest = 1.0 - np.clip(sum(stated), 0, 1)
        remaining = iter(stated)
        return [next(remaining) if row else rest for row in given]


# --- matrices, shapes ---


@dataclass(frozen=True)
class Written(Expression):
    """A matrix written out."""

    rows: tuple[tuple[Expression, ...], ...]

    def compute(self, at: Point) -> Value:
        values = [[cell.value(at) for cell in row] for row in self.rows]
        if not all(arithmetic.is_scalar(value) for row in values for value in row):
            raise EquationError("the cells of a matrix must be numbers")
        return np.array(values, dtype=float).view(Literal)


@dataclass(frozen=True)
class AllOnes(Expression):
    """A vector of ones, `\\mathbf{1}_m`."""

    length: Expression

    def compute(self, at: Point) -> Value:
        return np.ones(as_index(self.length.value(at), self.span))


@dataclass(frozen=True)
class Identity(Expression):
    """The identity matrix, `I_n`."""

    size: Expression

    def compute(self, at: Point) -> Value:
        return np.eye(as_index(self.size.value(at), self.span))


@dataclass(frozen=True)
class Shaped(Expression):
    """A term with its shape written underneath; the shape is checked."""

    body: Expression
    shape: tuple[Expression, ...]

    def compute(self, at: Point) -> Value:
        value = self.body.value(at)
        stated = tuple(
            as_index(length.value(replace(at, after=False)), length.span)
            for length in self.shape
        )
        if stated != shape_of(value):
            raise EquationError(
                f"the shape written here is {stated}, the value has {describe(value)}"
            )
        return value


@dataclass(frozen=True)
class Named(Expression):
    """A term with another name for it written underneath; both must be equal."""

    body: Expression
    below: Expression

    def compute(self, at: Point) -> Value:
        value, named = self.body.value(at), self.below.value(at)
        if shape_of(value) != shape_of(named) or not np.allclose(
            value, named, rtol=1e-9, atol=1e-12
        ):
            raise EquationError("what is written underneath is not equal to the term")
        return value
