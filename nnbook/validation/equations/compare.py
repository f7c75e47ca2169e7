"""Compare the two sides of an equation, and say why they differ."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nnbook.validation.equations import calculus as ca
from nnbook.validation.equations import expressions as ex
from nnbook.validation.equations import syntax as sx
from nnbook.validation.equations.expressions import Expression, Point, Record, below
from nnbook.validation.equations.grammar import EquationError, Span
from nnbook.validation.equations.names import Scope, scope_of
from nnbook.validation.equations.resolver import resolve
from nnbook.validation.equations.values import (
    Literal,
    Quantities,
    Samples,
    Value,
    describe,
)

EXACT = 1e-10
DIFFERENTIATED = 1e-6
BATCHES = 20
TINY = 1e-300


# --- hints ---


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
    if len(a) < 2 and not any(
        _near(factor, number) for number in (-1.0, *_numbers(quantities))
    ):
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
    square = all(a.ndim == 2 and a.shape == b.T.shape for a, b in zip(left, right, strict=True))
    if square and all(np.allclose(a, b.T) for a, b in zip(left, right, strict=True)):
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


# --- one equation ---


@dataclass
class Equation:
    """One equation of a display: its sides, evaluated for all values of its free indices."""

    quantities: Quantities
    relation: sx.Relation
    approx: float | None
    sides: tuple[Expression, ...] = ()


def check_relation(equation: Equation) -> None:
    """Check every relation of the chain."""
    if not equation.relation.signs:
        raise EquationError(
            "no equation here: a relation such as = is missing", equation.relation.span
        )
    scope = scope_of(equation.quantities, equation.relation)
    if equation.relation.signs[0] == "\\in":
        check_shape(equation, scope)
        return
    equation.sides = sides = tuple(resolve(scope, side) for side in equation.relation.sides)
    for number, sign in enumerate(equation.relation.signs):
        pair = sides[number : number + 2]
        refuse_trivial(equation, number)
        kinds = {type(node) for node in below(pair)}
        if ca.Remainder in kinds:
            check_order(equation, pair)
        elif ca.Expectation in kinds:
            check_samples(equation, pair, sign)
        else:
            check_pair(
                equation,
                pair,
                sign,
                DIFFERENTIATED if is_differentiated(equation, pair) else EXACT,
            )


def refuse_trivial(equation: Equation, number: int) -> None:
    """Refuse a relation between two sides that are written alike: x = x says nothing."""
    left, right = equation.relation.sides[number : number + 2]
    updates = equation.relation.signs[number] in ("\\leftarrow", "\\gets")
    if sx.same_writing(left, right) and not updates:
        raise EquationError("both sides are written alike: that proves nothing", right.span)


def is_differentiated(equation: Equation, pair: tuple[Expression, ...]) -> bool:
    """Tell whether a side holds a numerical derivative."""
    return any(
        isinstance(node, (ca.Derivative, ca.Gradient))
        or (isinstance(node, ex.Application) and node.order > 0)
        for node in below(pair)
    )


# --- Values ---


def assignments(
    equation: Equation, pair: tuple[Expression, ...], point: Point
) -> Iterator[Point]:
    """Run through all values of the free indices; the whole chain says which they are."""
    sides = equation.sides or pair
    names = ca.free_indices(pair)
    points = [
        replace(point, overrides={**trial, **point.overrides})
        for trial in equation.quantities.trials()
    ]
    while names:
        name = next_index(equation, names, sides, points[0])
        points = [
            one.index(name, number)
            for one in points
            for number in ca.index_range(name, sides, one, equation.relation.span)
        ]
        names.remove(name)
    yield from points


def next_index(
    equation: Equation, names: list[str], pair: tuple[Expression, ...], point: Point
) -> str:
    """Choose an index whose range is known by now; a row's length may depend on its layer."""
    for name in names:
        try:
            ca.index_range(name, pair, point, equation.relation.span)
            return name
        except EquationError as error:
            last = error
    raise last


def evaluate(
    equation: Equation, pair: tuple[Expression, ...], sign: str, record: Record
) -> list[tuple[Point, Value, Value]]:
    """Evaluate both sides for every assignment."""
    found = []
    for point in assignments(equation, pair, Point(equation.quantities, record=record)):
        left = pair[0].value(replace(point, after=sign in ("\\leftarrow", "\\gets")))
        found.append((point, left, pair[1].value(point)))
    return found


# --- Comparisons ---


def check_pair(
    equation: Equation, pair: tuple[Expression, ...], sign: str, tolerance: float
) -> None:
    """Compare two sides element by element."""
    record = Record()
    found = evaluate(equation, pair, sign, record)
    require_choices(equation, record, pair)
    equal = sign in ("=", ":=", "\\equiv", "\\coloneqq", "\\leftarrow", "\\gets")
    # A number stands for an array of equal numbers beside < and ≤, and a written 0 everywhere.
    spread = (sign in ex.COMPARISONS and sign != "=") or any(
        is_literal_zero(side) for side in pair
    )
    rows = [(point, *comparable(equation, left, right, spread)) for point, left, right in found]
    if equal:
        require_equal(equation, pair, rows, record, tolerance)
    elif sign == "\\approx":
        require_close(equation, pair, rows)
    else:
        require_order(equation, pair, rows, sign)


def comparable(
    equation: Equation, left: Value, right: Value, spread: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Bring two sides to arrays of one shape, or say why they cannot be equal."""
    a, b = ex.numeric(left), ex.numeric(right)
    if isinstance(left, Literal) != isinstance(right, Literal):
        # A vector may be written out as a row or as a column.
        a = a.reshape(-1) if b.ndim == 1 and 1 in a.shape else a
        b = b.reshape(-1) if a.ndim == 1 and 1 in b.shape else b
    if spread and (a.ndim == 0 or b.ndim == 0):
        a, b = np.broadcast_arrays(a, b)
    elif a.shape != b.shape or ex.is_row(left) != ex.is_row(right):
        transposed = a.shape == b.shape or a.shape == b.shape[::-1]
        clue = ": one side is transposed" if transposed else ""
        raise EquationError(
            f"the left side has {describe(left)}, the right side {describe(right)}{clue}",
            equation.relation.span,
        )
    for side, array in (("left", a), ("right", b)):
        if not np.all(np.isfinite(array)):
            raise EquationError(
                f"the {side} side is not finite: {array[~np.isfinite(array)].reshape(-1)[0]}",
                equation.relation.span,
            )
    return a, b


def require_equal(
    equation: Equation,
    pair: tuple[Expression, ...],
    rows: list[Any],
    record: Record,
    tolerance: float,
) -> None:
    """Require equality to a relative tolerance."""
    scale = max(
        (max(np.max(np.abs(a), initial=0), np.max(np.abs(b), initial=0)) for _, a, b in rows),
        default=0.0,
    )
    zero = [is_literal_zero(side) for side in pair]
    if any(zero):
        scale = scale_of_zero(equation, pair, zero, record, scale)
    elif scale == 0:
        raise EquationError(
            "both sides are zero everywhere: that proves nothing. Bind values that are not",
            equation.relation.span,
        )
    for _, a, b in rows:
        bound = tolerance * np.maximum(
            np.maximum(np.abs(a), np.abs(b)), scale if any(zero) else 1e-3 * scale
        )
        if not np.all(np.abs(a - b) <= bound):
            raise unequal(equation, rows)


def scale_of_zero(
    equation: Equation,
    pair: tuple[Expression, ...],
    zero: list[bool],
    record: Record,
    scale: float,
) -> float:
    """Find the scale on which a value counts as zero: its largest term."""
    other = pair[zero.index(True) - 1]
    if isinstance(other, (ex.Reference, ex.Index)) or record.largest > 0:
        return record.largest
    raise EquationError("all terms are zero: that proves nothing", equation.relation.span)


def require_close(equation: Equation, pair: tuple[Expression, ...], rows: list[Any]) -> None:
    """Require ≈: to the printed digits of a number, or to the stated tolerance."""
    printed = [printed_digits(side) for side in pair]
    allowed = next((item for item in reversed(printed) if item is not None), None)
    if equation.approx is None and allowed is None:
        raise EquationError(r"\approx needs its tolerance: approx=1e-3", equation.relation.span)
    for _, a, b in rows:
        if equation.approx is not None:
            close = np.abs(a - b) <= equation.approx * np.maximum(np.abs(a), np.abs(b))
        else:
            digits = np.asarray(allowed)
            room = digits.reshape(a.shape) if digits.ndim else digits
            close = np.abs(a - b) <= room * (1 + 1e-9)
        if not np.all(close):
            raise unequal(equation, rows)


def require_order(
    equation: Equation, pair: tuple[Expression, ...], rows: list[Any], sign: str
) -> None:
    """Require an inequality everywhere; with a tolerance, that it is that tight somewhere."""
    if sign not in ex.COMPARISONS:
        raise EquationError(f"{sign} cannot be checked here", equation.relation.span)
    gaps = []
    for point, a, b in rows:
        if not np.all(ex.COMPARISONS[sign](a, b)):
            raise EquationError(
                f"the inequality does not hold{where(point)}: {short(a)} and {short(b)}",
                equation.relation.span,
            )
        gaps.append(np.min(np.abs(a - b) / np.maximum(np.maximum(np.abs(a), np.abs(b)), TINY)))
    zero = any(is_literal_zero(side) for side in pair)
    if equation.approx is not None and not zero and not min(gaps) <= equation.approx:
        raise EquationError(
            f"the inequality is not tight: within {100 * min(gaps):.2g} % at best, "
            f"{100 * equation.approx:.2g} % is asked for",
            equation.relation.span,
        )


def require_choices(equation: Equation, record: Record, pair: tuple[Expression, ...]) -> None:
    """Require every row of cases, every argument of max and both values of an indicator."""
    for node in below(pair):
        seen = record.choices.get(node.span, set())
        if isinstance(node, ex.Piecewise) and len(seen) < len(node.rows):
            row = min(set(range(len(node.rows))) - seen)
            raise EquationError(
                "no value bound here reaches this row: bind values that take every row",
                node.rows[row][0].span,
            )
        if isinstance(node, ex.Extreme) and 1 < len(node.arguments) > len(seen):
            argument = min(set(range(len(node.arguments))) - seen)
            raise EquationError(
                "this argument never wins: bind values for which each one does",
                node.arguments[argument].span,
            )
        if isinstance(node, ex.Iverson) and len(seen) < 2:
            raise EquationError(
                "this condition is always the same: bind values on both sides of it",
                node.span,
            )


def unequal(equation: Equation, rows: list[Any]) -> EquationError:
    """Say where two sides differ most, and why that might be."""
    gaps = [np.max(np.abs(a - b), initial=0.0) for _, a, b in rows]
    point, a, b = rows[int(np.argmax(gaps))]
    worst = np.unravel_index(int(np.argmax(np.abs(a - b))), a.shape)
    element = f", element {tuple(int(i) + 1 for i in worst)}" if a.shape else ""
    lines = [
        "the two sides are not equal",
        f"  worst{where(point)}{element}: left = {a[worst]:.10g}, right = {b[worst]:.10g}",
    ]
    clue = hint([a for _, a, _ in rows], [b for _, _, b in rows], equation.quantities)
    lines += [f"  hint: {clue}"] if clue else []
    return EquationError("\n".join(lines), equation.relation.span)


# --- Shapes, samples, remainders ---


def check_shape(equation: Equation, scope: Scope) -> None:
    """Check `X \\in \\mathbb{R}^{m \\times n}`."""
    space = equation.relation.sides[1]
    base = space.base if isinstance(space, sx.Scripted) else space
    if (
        not isinstance(base, sx.Special)
        or base.kind != "REALS"
        or len(equation.relation.signs) != 1
    ):
        raise EquationError(
            r"only X \in \mathbb{R}^{m \times n} can be checked", equation.relation.span
        )
    sup = space.sups[0] if isinstance(space, sx.Scripted) and space.sups else None
    item = sup.items[0] if isinstance(sup, sx.Inside) else sup
    lengths = () if item is None else item.factors if isinstance(item, sx.Term) else (item,)
    shaped = ex.Shaped(
        space.span,
        resolve(scope, equation.relation.sides[0]),
        tuple(resolve(scope, length) for length in lengths),
    )
    for point in assignments(equation, (shaped,), Point(equation.quantities)):
        shaped.value(point)


def check_samples(equation: Equation, pair: tuple[Expression, ...], sign: str) -> None:
    """Compare estimates from batches of draws: within five standard errors, and those small."""
    draws = {
        len(value)
        for value in equation.quantities.values.values()
        if isinstance(value, Samples)
    }
    if len(draws) != 1:
        raise EquationError(
            "an expectation needs samples, all with the same number of draws: x=Samples(draws)",
            equation.relation.span,
        )
    size = draws.pop() // BATCHES
    if size < 50:
        raise EquationError(
            f"too few draws: at least {50 * BATCHES} are needed", equation.relation.span
        )
    record = Record()
    start = Point(equation.quantities, record=record)
    for point in assignments(equation, pair, start):
        batches = [
            replace(point, draws=slice(k * size, (k + 1) * size)) for k in range(BATCHES)
        ]
        estimates = [[ex.numeric(side.value(batch)) for side in pair] for batch in batches]
        if any(estimate.shape for row in estimates for estimate in row):
            raise EquationError(
                "an equation of expectations compares numbers: write the index",
                equation.relation.span,
            )
        both = np.array(estimates)
        compare_batches(equation, both, sign, pair, record, point)


def compare_batches(
    equation: Equation,
    both: np.ndarray,
    sign: str,
    pair: tuple[Expression, ...],
    record: Record,
    point: Point,
) -> None:
    """Compare the batches' estimates of the two sides."""
    left, right = both.mean(axis=0)
    difference = both[:, 0] - both[:, 1]
    error = float(difference.std(ddof=1) / np.sqrt(BATCHES))
    scale = max(abs(left), abs(right))
    if any(is_literal_zero(side) for side in pair):
        scale = record.largest
    if not 5 * error <= 0.1 * scale:
        raise EquationError(
            f"too few draws: the standard error is {100 * error / max(scale, TINY):.1f} % "
            "of the value, at most 2 % is allowed",
            equation.relation.span,
        )
    if sign in ("=", "\\approx"):
        allowed = max(5 * error, 1e-10 * scale) + (equation.approx or 0) * scale * (
            sign == "\\approx"
        )
        if not abs(left - right) <= allowed:
            raise EquationError(
                f"the estimates differ by {abs(left - right) / max(error, TINY):.0f} standard "
                f"errors{where(point)}: left = {left:.4g}, right = {right:.4g}",
                equation.relation.span,
            )
    elif not ex.COMPARISONS[sign](left, right):
        raise EquationError(
            f"the inequality does not hold{where(point)}: {left:.4g} and {right:.4g}",
            equation.relation.span,
        )


def check_order(equation: Equation, pair: tuple[Expression, ...]) -> None:
    """Check a remainder O(h^p): halving h must shrink the rest of the equation by 2^p."""
    remainder = next(node for node in below(pair) if isinstance(node, ca.Remainder))
    names = [node.name for node in below(remainder) if isinstance(node, ex.Reference)]
    if len(set(names)) != 1:
        raise EquationError(
            "a remainder is O of a power of one bound number, O(h^2)", remainder.span
        )
    h = ex.numeric(equation.quantities.value(names[0], {}))
    rests, orders = [], []
    for step in (float(h), float(h) / 2):
        start = Point(equation.quantities, overrides={names[0]: np.float64(step)})
        orders.append(float(remainder.order.value(start)))
        rests.append(
            [
                comparable(equation, *(side.value(point) for side in pair))
                for point in assignments(equation, pair, start)
            ]
        )
    compare_rests(equation, rests, orders, remainder.span)


def compare_rests(
    equation: Equation, rests: list[Any], orders: list[float], span: Span
) -> None:
    """Compare how the rest shrinks with how the remainder does."""
    expected = orders[0] / orders[1]
    for (a, b), (c, d) in zip(*rests, strict=True):
        large, small = np.abs(a - b), np.abs(c - d)
        scale = np.maximum(np.abs(a), np.abs(b))
        if np.any(small <= 1e-12 * scale):
            raise EquationError(
                "the remainder drowns in rounding: bind a larger step, or a function whose "
                "expansion does not end",
                span,
            )
        measured = large / small
        if not np.all(np.abs(np.log2(measured) - np.log2(expected)) <= 0.3):
            raise EquationError(
                f"halving the step divides the rest of the equation by {short(measured)}, "
                f"O(…) says by {expected:.3g}",
                span,
            )


def is_literal_zero(side: Expression) -> bool:
    """Tell whether a side is a written 0."""
    return isinstance(side, ex.Constant) and side.number == 0


def printed_digits(side: Expression) -> Any:
    """Return half a unit of the last printed digit, for a number or a matrix of numbers."""
    if isinstance(side, ex.Written):
        cells = [[printed_digits(cell) for cell in row] for row in side.rows]
        return None if any(cell is None for row in cells for cell in row) else np.array(cells)
    if isinstance(side, ex.Total) and len(side.terms) == 1:
        return printed_digits(side.terms[0])
    if (
        isinstance(side, ex.Product)
        and side.operators[1:] == ("\\cdot",)
        and isinstance(side.factors[1], ex.Power)
    ):
        first, power = side.factors
        digits = printed_digits(first)
        return None if digits is None else digits * float(power.value(Point(Quantities({}))))
    if isinstance(side, ex.Constant) and side.text:
        decimals = len(side.text.partition(".")[2])
        return 0.5 * 10.0**-decimals
    return None


def where(point: Point) -> str:
    """Spell the values of the indices, and of what takes several values in turn."""
    each = {name: short(point.overrides[name]) for name in point.quantities.each}
    places = [f"{name} = {value}" for name, value in {**point.indices, **each}.items()]
    return " at " + ", ".join(places) if places else ""


def short(array: np.ndarray) -> str:
    """Print an array on one line."""
    return np.array2string(np.asarray(array), precision=6, threshold=8).replace("\n", "")
