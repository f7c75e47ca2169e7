"""Prove that a check bites: change one sign of its display, and it must fail.

A mutant is the display with one thing changed: a sign, a transpose, an index, a factor, a
symbol, a bound. A check that passes on a mutant does not see what was changed: its bindings are
too special, or the mutant says the same as the original.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnbook.validation.equations import syntax as sx
from nnbook.validation.equations.check import check_latex, quantities_of
from nnbook.validation.equations.grammar import EquationError, Span
from nnbook.validation.equations.names import (
    Scope,
    find,
    operator_parts,
    scope_of,
)
from nnbook.validation.equations.values import Quantities, shape_of

__all__ = ["Mutant", "mutants", "summary", "try_mutants"]


@dataclass(frozen=True)
class Mutant:
    """A display with one change.

    Attributes
    ----------
    latex : str
        The changed display.
    kind : str
        What was changed.
    caught : bool
        Whether the check fails on it.
    reason : str
        The first line of its message.
    """

    latex: str
    kind: str
    caught: bool = False
    reason: str = ""


def try_mutants(
    latex: str,
    latex_bindings: Mapping[str, Any] | None = None,
    /,
    *,
    after: Mapping[str, Any] | None = None,
    approx: float | None = None,
    **bindings: Any,
) -> Iterator[Mutant]:
    """Run the check of a display on each of its mutants; arguments as for `check_latex`.

    Examples
    --------
    >>> all(mutant.caught for mutant in try_mutants("c = a - b", a=3, b=5, c=-2))
    True
    """
    for mutant in mutants(latex, quantities_of(latex_bindings, after, bindings)):
        try:
            with np.errstate(all="ignore"):
                check_latex(
                    mutant.latex, latex_bindings, after=after, approx=approx, **bindings
                )
            yield mutant
        except EquationError as error:
            yield Mutant(mutant.latex, mutant.kind, True, error.message.split("\n")[0])


def summary(
    latex: str, latex_bindings: Mapping[str, Any] | None = None, /, **arguments: Any
) -> dict[str, Any]:
    """Count the mutants of a display that were tried and caught, and list the missed ones."""
    tried = list(try_mutants(latex, latex_bindings, **arguments))
    missed = [
        {"latex": mutant.latex, "kind": mutant.kind} for mutant in tried if not mutant.caught
    ]
    return {"tried": len(tried), "caught": len(tried) - len(missed), "missed": missed}


def mutants(latex: str, quantities: Quantities) -> Iterator[Mutant]:
    """Yield the mutants of a display, none twice and none equal to it."""
    seen = {_normal(latex)}
    for relation in sx.parse_display(latex):
        for kind, changed in changes_of(mutated(latex, relation, quantities)):
            if _normal(changed) not in seen:
                seen.add(_normal(changed))
                yield Mutant(changed, kind)


def _normal(latex: str) -> str:
    return re.sub(r"\s+", " ", latex).strip()


Change = tuple[str, str]


@dataclass
class Mutated:
    """One equation of a display, and what is needed to change it.

    Attributes
    ----------
    latex : str
        The whole display.
    relation : Relation
        The equation.
    scope : Scope
        Its names and indices.
    untouched : set of tuple
        The places of names' scripts and of differential signs: they are no factors.
    symbols : dict
        The bound symbols: how each is written, and its value.
    """

    latex: str
    relation: sx.Relation
    scope: Scope
    untouched: set[Span] = field(default_factory=set)
    symbols: dict[str, tuple[str, Any]] = field(default_factory=dict)


def mutated(latex: str, relation: sx.Relation, quantities: Quantities) -> Mutated:
    """Look one equation of a display through."""
    display = Mutated(latex, relation, scope_of(quantities, relation))
    for node in sx.walk(relation):
        note(display, node)
    return display


def note(display: Mutated, node: sx.Node) -> None:
    """Remember the bound symbols, and the parts that are names or differential signs."""
    head = find(display.scope, node)
    if head is not None and isinstance(node, sx.Scripted):
        named = tuple(
            part for part in node.subs + node.sups if part not in head.subs + head.sups
        )
        display.untouched |= {part.span for part in sx.walk(named)}
        display.untouched |= {node.base.span} if named else set()
    if isinstance(node, sx.Fraction) and operator_parts(display.scope, node):
        display.untouched |= {node.span, node.numerator.span, node.denominator.span}
    if head is None or node.span in display.untouched:
        return
    if not head.subs and not head.sups and not head.primes:
        shown = text_of(display, node.span), value_of(display, head.name)
        display.symbols.setdefault(head.name, shown)


def value_of(display: Mutated, name: str) -> Any:
    """Return the value of a bound name; of a function that is applied, the function itself."""
    quantities = display.scope.quantities
    if quantities.is_function(name) and name not in display.scope.standing_alone:
        return quantities.values[name]
    try:
        return quantities.value(name, {})
    except EquationError:
        return None


def text_of(display: Mutated, span: Span) -> str:
    return display.latex[span[0] : span[1]]


def replaced(display: Mutated, span: Span, text: str) -> str:
    """Replace a part of the display."""
    return display.latex[: span[0]] + text + display.latex[span[1] :]


Changer = Callable[[Any, Any], Iterator[Change]]
CHANGES: dict[type[sx.Node], Changer] = {}


def changes(kind: type[sx.Node]) -> Callable[[Changer], Changer]:
    """Register the function that changes one kind of node."""

    def register(function: Changer) -> Changer:
        CHANGES[kind] = function
        return function

    return register


def changes_of(display: Mutated) -> Iterator[Change]:
    """Yield every change of the equation."""
    zero = any(
        isinstance(side, sx.Number) and float(side.text) == 0 for side in display.relation.sides
    )
    for side in display.relation.sides:
        # −x = 0 says the same as x = 0.
        if not isinstance(side, sx.Sum) and not is_shape(display, side) and not zero:
            yield "sign", replaced(display, side.span, "-" + text_of(display, side.span))
    for node in sx.walk(display.relation):
        if node.span in display.untouched and not isinstance(node, sx.Term):
            continue
        change = CHANGES.get(type(node))
        if change is not None:
            yield from change(display, node)


def is_shape(display: Mutated, side: sx.Node) -> bool:
    base = side.base if isinstance(side, sx.Scripted) else side
    return (
        isinstance(base, sx.Special) and base.kind == "REALS"
    ) or "\\in" in display.relation.signs


# --- Sums and products ---


@changes(sx.Sum)
def change_sum(display: Mutated, node: sx.Sum) -> Iterator[Change]:
    """Flip each sign, drop each term."""
    end = node.span[0]
    for number, (sign, term) in enumerate(zip(node.signs, node.terms, strict=True)):
        gap = (end, term.span[0])
        flipped = "-" if sign == "+" else "+"
        if is_remainder(display, term):
            end = term.span[1]
            continue
        written = text_of(display, gap)
        if sign in written:
            yield "sign", replaced(display, gap, written.replace(sign, flipped, 1))
        else:
            yield "sign", replaced(display, gap, written + "-")
        if len(node.terms) > 1:
            yield (
                "dropped term",
                replaced(
                    display,
                    (gap[0], term.span[1]),
                    "" if number else without_sign(display, written),
                ),
            )
        end = term.span[1]


def is_remainder(display: Mutated, term: sx.Node) -> bool:
    """Tell whether a term is O(…), whose sign says nothing."""
    first = term.factors[0] if isinstance(term, sx.Term) else term
    return (
        isinstance(first, sx.Symbol)
        and first.names[0] == "O"
        and find(display.scope, first) is None
    )


def without_sign(display: Mutated, written: str) -> str:
    return re.sub(r"[+-]", "", written)


@changes(sx.Term)
def change_term(display: Mutated, node: sx.Term) -> Iterator[Change]:
    """Drop each factor; exchange the matrix product and the element-wise one."""
    differential = node.span in display.untouched
    for number, factor in enumerate(node.factors):
        previous = node.factors[number - 1] if number else None
        following = node.factors[number + 1] if number + 1 < len(node.factors) else None
        if isinstance(factor, sx.Special):
            continue
        if not differential and not is_argument_of(display, previous, factor, node, number):
            start = previous.span[1] if previous else factor.span[0]
            end = factor.span[1] if previous or following is None else following.span[0]
            yield "dropped factor", replaced(display, (start, end), " ")
        if previous is None:
            continue
        gap = (previous.span[1], factor.span[0])
        if node.operators[number] == "\\odot":
            yield "product", replaced(display, gap, " ")
        elif (
            not node.operators[number]
            and is_array(display, previous)
            and is_array(display, factor)
        ):
            yield "product", replaced(display, gap, r" \odot ")


def is_argument_of(
    display: Mutated, previous: sx.Node | None, factor: sx.Node, node: sx.Term, number: int
) -> bool:
    """Tell whether a factor is the argument of the function before it."""
    base = factor.base if isinstance(factor, sx.Scripted) else factor
    return (
        previous is not None
        and isinstance(base, sx.Group)
        and not node.operators[number]
        and (
            isinstance(previous, sx.Special)
            or (find(display.scope, previous) is not None and is_function(display, previous))
        )
    )


def is_function(display: Mutated, node: sx.Node) -> bool:
    head = find(display.scope, node)
    return head is not None and display.scope.quantities.is_function(head.name)


def is_array(display: Mutated, node: sx.Node) -> bool:
    """Tell whether a symbol is bound to an array and stands without an index."""
    if isinstance(node, sx.Scripted) and any(isinstance(sup, sx.Mark) for sup in node.sups):
        node = sx.Scripted(node.span, node.base, node.subs, (), node.primes)
    head = find(display.scope, node)
    if head is None or head.subs or head.sups:
        return False
    value = value_of(display, head.name)
    return (
        isinstance(value, np.ndarray)
        and shape_of(value) != ()
        and head.name not in display.scope.quantities.each
    )


@changes(sx.Fraction)
def change_fraction(display: Mutated, node: sx.Fraction) -> Iterator[Change]:
    """Drop the denominator, turn the fraction over."""
    above, below = (
        text_of(display, node.numerator.span),
        text_of(display, node.denominator.span),
    )
    yield "dropped factor", replaced(display, node.span, "{" + above + "}")
    if above != below:
        yield "factor", replaced(display, node.span, rf"\frac{{{below}}}{{{above}}}")


@changes(sx.Number)
def change_number(display: Mutated, node: sx.Number) -> Iterator[Change]:
    """Add one to a number."""
    digits = len(node.text.partition(".")[2])
    yield (
        "factor",
        replaced(display, node.span, f"{float(node.text) + 10.0**-digits:.{digits}f}"),
    )


# --- Symbols, scripts and indices ---


@changes(sx.Symbol)
def change_symbol(display: Mutated, node: sx.Symbol) -> Iterator[Change]:
    """Put each sibling in a symbol's place: another one of the same shape."""
    yield from siblings(display, node)
    if is_array(display, node):
        yield "transpose", replaced(display, node.span, text_of(display, node.span) + r"^\top")


def siblings(display: Mutated, node: sx.Node) -> Iterator[Change]:
    """Replace a bound symbol by others of its kind, an index by the other indices."""
    head = find(display.scope, node)
    if head is None:
        if isinstance(node, sx.Symbol) and node.names[0] in display.scope.indices:
            for name in sorted(display.scope.indices - {node.names[0]}):
                if len(name) == 1:
                    yield "index", replaced(display, node.span, f" {name}")
        return
    value = value_of(display, head.name)
    for name, (text, other) in display.symbols.items():
        if name != head.name and alike(display, value, other):
            yield "sibling symbol", replaced(display, node.span, f" {text} ")


def alike(display: Mutated, value: Any, other: Any) -> bool:
    """Tell whether two values are of one kind and shape."""
    if isinstance(value, dict) or isinstance(other, dict) or callable(value) or callable(other):
        return type(value) is type(other)
    return value is not None and other is not None and shape_of(value) == shape_of(other)


@changes(sx.Scripted)
def change_scripted(display: Mutated, node: sx.Scripted) -> Iterator[Change]:
    """Change what is written above and below a symbol."""
    if node.base.span in display.untouched:
        yield from siblings(display, node)
        if is_array(display, node):
            text = f"{{{text_of(display, node.span)}}}^\\top"
            yield "transpose", replaced(display, node.span, text)
    for sup in node.sups:
        if sup.span not in display.untouched:
            yield from change_superscript(display, node, sup)
    if node.primes:
        yield (
            "prime",
            replaced(display, node.span, text_of(display, node.span).replace("'", "", 1)),
        )
    for sub in node.subs:
        if sub.span not in display.untouched:
            yield from change_indices(display, node, sub)


def change_superscript(display: Mutated, node: sx.Scripted, sup: sx.Node) -> Iterator[Change]:
    """Drop a transpose or a power."""
    if isinstance(sup, sx.Inside) and sup.transposed:
        yield (
            "transpose",
            replaced(
                display, sup.span, re.sub(r"\\top|\\intercal", "", text_of(display, sup.span))
            ),
        )
    elif isinstance(sup, (sx.Number, sx.Mark, sx.ElementwisePower)) or is_power(display, sup):
        before = display.latex[: sup.span[0]]
        opened = re.search(r"\^\s*\{?\s*$", before)
        closed = (
            re.match(r"\s*\}", display.latex[sup.span[1] :])
            if opened and "{" in opened[0]
            else None
        )
        if opened:
            span = (opened.start(), sup.span[1] + (closed.end() if closed else 0))
            kind = "transpose" if isinstance(sup, sx.Mark) else "dropped factor"
            yield kind, replaced(display, span, " ")


def is_power(display: Mutated, sup: sx.Node) -> bool:
    """Tell whether a superscript is a power, no layer and no example."""
    items = sup.items if isinstance(sup, sx.Inside) else (sup,)
    return isinstance(sup, (sx.Inside, sx.Symbol)) and not any(
        isinstance(part, (sx.Group, sx.Label)) for part in items
    )


def change_indices(display: Mutated, node: sx.Scripted, sub: sx.Node) -> Iterator[Change]:
    """Swap neighbouring indices, and shift each by one."""
    items = sub.items if isinstance(sub, sx.Inside) else (sub,)
    parts = [part for item in items for part in index_parts(display, item)]
    if not parts or isinstance(node.base, (sx.Bars, sx.Special)):
        return
    texts = [text_of(display, part.span) for part in parts]
    inner = (parts[0].span[0], parts[-1].span[1])
    braces = ("", "") if isinstance(sub, sx.Inside) else ("{", "}")
    symmetric = (
        isinstance(node.base, sx.Symbol)
        and node.base.names[0] == "delta"
        and not find(display.scope, node.base)
    )
    for number in range(len(texts)):
        shifted = [*texts[:number], texts[number] + "+1", *texts[number + 1 :]]
        yield "index", replaced(display, inner, braces[0] + ",".join(shifted) + braces[1])
        if number and not symmetric:
            swapped = [
                *texts[: number - 1],
                texts[number],
                texts[number - 1],
                *texts[number + 1 :],
            ]
            yield "index", replaced(display, inner, ",".join(swapped))


def index_parts(display: Mutated, item: sx.Node) -> tuple[sx.Node, ...]:
    """Take the indices of a subscript apart."""
    if (
        isinstance(item, sx.Term)
        and not any(item.operators)
        and not isinstance(item.factors[0], sx.Number)
    ):
        return item.factors
    return () if isinstance(item, (sx.Label, sx.Relation)) else (item,)


# --- Functions, indices that run, cases ---


@changes(sx.Function)
def change_function(display: Mutated, node: sx.Function) -> Iterator[Change]:
    """Exchange max and min, log and exp."""
    other = {
        "max": "min",
        "min": "max",
        "log": "exp",
        "exp": "log",
        "tanh": "sinh",
        "sin": "cos",
        "cos": "sin",
    }
    if node.name in other:
        yield (
            "function",
            replaced(
                display,
                node.span,
                text_of(display, node.span).replace(node.name, other[node.name], 1),
            ),
        )


@changes(sx.Reduction)
def change_reduction(display: Mutated, node: sx.Reduction) -> Iterator[Change]:
    """Change the operation and both bounds; drop the sum."""
    other = {
        "sum": "prod",
        "prod": "sum",
        "max": "min",
        "min": "max",
        "argmax": "argmin",
        "argmin": "argmax",
    }
    text = text_of(display, node.span)
    short = node.name[-3:] if node.name.startswith("arg") else node.name
    yield (
        "function",
        replaced(
            display,
            node.span,
            text.replace(
                short, other[node.name][-3:] if short != node.name else other[node.name], 1
            ),
        ),
    )
    if node.sups:
        upper = node.sups[0]
        inner = upper.items[0].span if isinstance(upper, sx.Inside) else upper.span
        text = f"{text_of(display, inner)}-1"
        yield (
            "bound",
            replaced(display, inner, text if isinstance(upper, sx.Inside) else f"{{{text}}}"),
        )


@changes(sx.Relation)
def change_relation(display: Mutated, node: sx.Relation) -> Iterator[Change]:
    """Turn an inequality round."""
    other = {
        "<": ">", ">": "<", "\\le": "\\ge", "\\leq": "\\geq", "\\ge": "\\le", "\\geq": "\\leq",
        "\\ne": "=", "\\neq": "=", "\\lt": "\\gt", "\\gt": "\\lt",
    }  # fmt: skip
    for left, sign, right in zip(node.sides, node.signs, node.sides[1:], strict=False):
        gap = (left.span[1], right.span[0])
        if sign in other and sign in text_of(display, gap):
            yield (
                "relation",
                replaced(
                    display, gap, text_of(display, gap).replace(sign, other[sign] + " ", 1)
                ),
            )
