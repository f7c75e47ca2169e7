"""What the symbols of a display are bound to.

A binding is a number, an array, a family of arrays (one per layer or per step), samples of a
random quantity, or a function. A function whose parameters are themselves symbols of the display
is a *quantity*: `J=lambda W: cost(X, W, b)` says that J depends on W, and lets the
checker differentiate it. Every other function must be applied.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nnbook.validation.equations.algebra import Each, Literal, RowVector, Samples, Value, describe
from nnbook.validation.equations.messages import EquationError, Span

__all__ = ["Quantities"]


class Quantities:
    """The bindings of one display.

    Parameters
    ----------
    bindings : mapping of str to object
        Python names and what they stand for.
    after : mapping of str to object
        The values behind `\\leftarrow`.
    """

    def __init__(self, bindings: Mapping[str, Any], after: Mapping[str, Any] | None = None) -> None:
        self.each = {name: given for name, given in bindings.items() if isinstance(given, Each)}
        first = {name: np.asarray(given)[0] for name, given in self.each.items()}
        self.values = {name: as_value(name, given) for name, given in {**bindings, **first}.items()}
        self.after = {name: as_value(name, given) for name, given in (after or {}).items()}
        self.parameters = {
            name: parameters(name, value) for name, value in self.values.items() if callable(value)
        }
        self.used: dict[str, str] = {}
        self.used_after: set[str] = set()
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
                f"{before} and {latex} are both read as {name}: bind them apart with a dictionary, "
                f'{{r"{before}": …, r"{latex}": …}}',
                span,
            )
        for parameter in self.parameters.get(name) or ():
            if self.is_quantity(name) and parameter not in self.used:
                self._use_parameter(parameter)

    def _use_parameter(self, name: str) -> None:
        """Count what a used quantity depends on as used."""
        self._parameters_used.add(name)
        for parameter in self.parameters.get(name) or ():
            if self.is_quantity(name) and parameter not in self._parameters_used:
                self._use_parameter(parameter)

    @property
    def _parameters_used(self) -> set[str]:
        if not hasattr(self, "_through"):
            self._through: set[str] = set()
        return self._through

    def trials(self) -> list[dict[str, Value]]:
        """List the values that quantities bound with `Each` take together."""
        lengths = {len(values) for values in self.each.values()}
        if len(lengths) > 1:
            raise EquationError("all Each(…) of one display need the same number of values")
        rows = zip(*(np.asarray(values) for values in self.each.values()))
        return [{name: as_value(name, value) for name, value in zip(self.each, row)} for row in rows] or [{}]

    def unused(self) -> list[str]:
        """List the bindings that no sign of the display has asked for."""
        before = [name for name in self.values if name not in self.used and name not in self._parameters_used]
        return before + [f"after={name}" for name in self.after if name not in self.used_after]

    def reach(self, name: str) -> frozenset[str]:
        """Name everything a quantity depends on, itself included."""
        if name not in self._reach:
            self._reach[name] = frozenset({name})
            below = self.parameters.get(name) or () if self.is_quantity(name) else ()
            self._reach[name] |= frozenset().union(*(self.reach(parameter) for parameter in below))
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
    plain = [np.asarray(item) if isinstance(item, (RowVector, Literal)) else item for item in arguments]
    try:
        result = function(*plain)
    except EquationError:
        raise
    except Exception as error:
        kinds = ", ".join(describe(argument) for argument in arguments)
        raise EquationError(f"{name} applied to {kinds} raises {type(error).__name__}: {error}") from error
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
    """Bring a bound object into the form the checker computes with: float64, families, functions."""
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
