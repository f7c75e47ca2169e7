"""What the symbols of a display stand for, and how their values combine."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nnbook.validation.equations.grammar import EquationError, Span

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

    def __new__(cls, draws: Any) -> "Samples":
        """View an array as draws."""
        return np.asarray(draws, dtype=float).view(cls)


class Each(np.ndarray):
    """Values of one number: the equation must hold for each of them in turn.

    Examples
    --------
    >>> Each([-1.5, 0.5, 2.0]).shape
    (3,)
    """

    def __new__(cls, values: Any) -> "Each":
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
    if (
        trailing
        and len(a) != len(b)
        and not isinstance(left, RowVector) | isinstance(right, RowVector)
    ):
        return left, right
    raise EquationError(
        f"{sign} of {describe(left)} and {describe(right)}: the shapes do not fit"
    )


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
        raise EquationError(
            f"the product of {describe(left)} and {describe(right)}: write it with indices"
        )
    if isinstance(right, RowVector) and len(a) == 2:
        raise EquationError(f"a matrix times a transposed vector, {a} and {b}")
    if a[-1] != b[0]:
        raise EquationError(
            f"the matrix product of {describe(left)} and {describe(right)}: "
            f"{a[-1]} is not {b[0]}"
        )
    return left @ right


def _vectors(left: Value, right: Value) -> Value:
    row, column = isinstance(left, RowVector), not isinstance(right, RowVector)
    a, b = np.asarray(left), np.asarray(right)
    if isinstance(left, Samples) or isinstance(right, Samples):
        raise EquationError(
            "a product of vectors inside an expectation: write the sum over its index"
        )
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
        return (
            np.asarray(value)
            if isinstance(value, RowVector)
            else np.asarray(value).view(RowVector)
        )
    if dimensions == 2:
        return np.asarray(value).T
    raise EquationError(f"the transpose of {describe(value)}")


def power(base: Value, exponent: Value) -> Value:
    """Raise to a power: numbers and vectors element by element; A^{-1} is the inverse."""
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


class Quantities:
    """The bindings of one display.

    Parameters
    ----------
    bindings : mapping of str to object
        Python names and what they stand for.
    after : mapping of str to object
        The values behind `\\leftarrow`.
    """

    def __init__(
        self, bindings: Mapping[str, Any], after: Mapping[str, Any] | None = None
    ) -> None:
        self.each = {name: given for name, given in bindings.items() if isinstance(given, Each)}
        first = {name: np.asarray(given)[0] for name, given in self.each.items()}
        self.values = {
            name: as_value(name, given) for name, given in {**bindings, **first}.items()
        }
        self.after = {name: as_value(name, given) for name, given in (after or {}).items()}
        self.parameters = {
            name: parameters(name, value)
            for name, value in self.values.items()
            if callable(value)
        }
        self.used: dict[str, str] = {}
        self.used_after: set[str] = set()
        self.through: set[str] = set()
        self._known: dict[str, Value] = {}
        self._reach: dict[str, frozenset[str]] = {}

    def is_quantity(self, name: str) -> bool:
        """Tell whether a function's parameters are all bound, so that it has a value here."""
        given = self.parameters.get(name)
        return bool(given) and all(parameter in self.values for parameter in given or ())

    def is_function(self, name: str) -> bool:
        """Tell whether a name is bound to something that can be applied."""
        return name in self.parameters

    def use(self, name: str, latex: str, span: Span) -> None:
        """Note which sign of the display a binding serves; two signs for one are ambiguous."""
        before = self.used.setdefault(name, latex)
        if before != latex:
            raise EquationError(
                f"{before} and {latex} are both read as {name}: bind them with a dictionary, "
                f'{{r"{before}": …, r"{latex}": …}}',
                span,
            )
        for parameter in self.parameters.get(name) or ():
            if self.is_quantity(name):
                # What a quantity depends on is used through it.
                self.through |= self.reach(parameter)

    def trials(self) -> list[dict[str, Value]]:
        """List the values that quantities bound with `Each` take together."""
        lengths = {len(values) for values in self.each.values()}
        if len(lengths) > 1:
            raise EquationError("all Each(…) of one display need the same number of values")
        rows = zip(*(np.asarray(values) for values in self.each.values()), strict=True)
        return [
            {name: as_value(name, value) for name, value in zip(self.each, row, strict=True)}
            for row in rows
        ] or [{}]

    def unused(self) -> list[str]:
        """List the bindings that no sign of the display has asked for."""
        before = [
            name for name in self.values if name not in self.used and name not in self.through
        ]
        return before + [f"after={name}" for name in self.after if name not in self.used_after]

    def reach(self, name: str) -> frozenset[str]:
        """Name everything a quantity depends on, itself included."""
        if name not in self._reach:
            self._reach[name] = frozenset({name})
            below = self.parameters.get(name) or () if self.is_quantity(name) else ()
            self._reach[name] |= frozenset().union(
                *(self.reach(parameter) for parameter in below)
            )
        return self._reach[name]

    def value(self, name: str, overrides: Mapping[str, Value]) -> Value:
        """Evaluate a quantity, with some of the others replaced."""
        if name in overrides:
            return overrides[name]
        if not self.is_quantity(name):
            return self.values[name]
        if self.reach(name).isdisjoint(overrides):
            if name not in self._known:
                self._known[name] = self._evaluate(name, {})
            return self._known[name]
        return self._evaluate(name, overrides)

    def _evaluate(self, name: str, overrides: Mapping[str, Value]) -> Value:
        arguments = [self.value(parameter, overrides) for parameter in self.parameters[name]]
        return call(name, self.values[name], arguments)


def call(name: str, function: Callable[..., Any], arguments: list[Value]) -> Value:
    """Apply a bound function and bring its result into the checker's form."""
    plain = [
        np.asarray(item) if isinstance(item, (RowVector, Literal)) else item
        for item in arguments
    ]
    try:
        result = function(*plain)
    except EquationError:
        raise
    except Exception as error:
        kinds = ", ".join(describe(argument) for argument in arguments)
        raise EquationError(
            f"{name} applied to {kinds} raises {type(error).__name__}: {error}"
        ) from error
    if result is None or callable(result):
        raise EquationError(f"{name} returns {type(result).__name__}, not numbers")
    return as_value(name, result)


def parameters(name: str, function: Callable[..., Any]) -> tuple[str, ...]:
    """Name the parameters of a function that have no default."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return ()
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.default is inspect.Parameter.empty and parameter.kind in kinds
    )


def as_value(name: str, given: Any) -> Value:
    """Bring a bound object into the checker's form: float64, families, functions."""
    if isinstance(given, (Samples, RowVector)):
        return given
    if isinstance(given, Mapping):
        return {int(key): as_value(name, item) for key, item in given.items()}
    if isinstance(given, (set, frozenset, range)):
        return frozenset(int(item) for item in given)
    if isinstance(given, (list, tuple)) and any(isinstance(item, np.ndarray) for item in given):
        return {number: as_value(name, item) for number, item in enumerate(given, start=1)}
    if isinstance(given, np.ndarray) or np.isscalar(given) or isinstance(given, (list, tuple)):
        return _as_array(name, given)
    if callable(given):
        return given
    raise EquationError(
        f"{name} is bound to {type(given).__name__}: bind a number, an array, a function, "
        "samples, or a dictionary of arrays for layers and steps"
    )


def _as_array(name: str, given: Any) -> Value:
    array = np.asarray(given)
    if array.dtype in (np.float32, np.float16):
        raise EquationError(f"{name} is {array.dtype}: equations are checked in float64")
    if array.dtype.kind not in "biuf":
        raise EquationError(f"{name} is bound to {given!r}, which is no number")
    array = array.astype(float)
    return np.float64(array) if array.ndim == 0 else array
