"""Names: which binding a symbol with its scripts means, and which letters are indices."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from nnbook.validation.equations import syntax as sx
from nnbook.validation.equations.grammar import EquationError
from nnbook.validation.equations.values import Quantities

# --- names ---


def script_text(node: sx.Node) -> str | None:
    """Spell a script as part of a Python name, or return None when it cannot be one."""
    if isinstance(node, sx.Inside):
        parts = [script_text(item) for item in node.items]
        if node.condition or node.transposed or None in parts:
            return None
        return "".join(part for part in parts if part)
    if isinstance(node, sx.Group):
        parts = [script_text(item) for item in node.items]
        return (
            None
            if None in parts or node.bracket == "{"
            else "".join(part for part in parts if part)
        )
    if isinstance(node, (sx.Number, sx.Label)):
        return re.sub(r"\W", "_", node.text)
    if isinstance(node, sx.Symbol):
        return node.names[0].rstrip("_")
    if isinstance(node, sx.Mark):
        return "star" if node.kind == "star" else None
    if isinstance(node, sx.Term) and not any(node.operators):
        parts = [script_text(factor) for factor in node.factors]
        return None if None in parts else "".join(part for part in parts if part)
    if isinstance(node, sx.Sum) and len(node.terms) == 2 and node.signs[0] == "+":
        return _offset_text(node)
    return None


def _offset_text(node: sx.Sum) -> str | None:
    """Spell `t-1` as `prev` and `t+1` as `next`."""
    step = node.terms[1]
    if (
        isinstance(step, sx.Number)
        and step.text == "1"
        and isinstance(node.terms[0], sx.Symbol)
    ):
        return "prev" if node.signs[1] == "-" else "next"
    parts = [script_text(term) for term in node.terms]
    if None in parts:
        return None
    return f"{parts[0]}_{'minus' if node.signs[1] == '-' else 'plus'}_{parts[1]}"


def is_name_like(node: sx.Node) -> bool:
    """Tell whether a superscript can be part of a name: a layer, a star or a word."""
    if isinstance(node, sx.Inside):
        return not node.transposed and len(node.items) == 1 and is_name_like(node.items[0])
    if isinstance(node, sx.Term):
        return all(isinstance(factor, sx.Group) for factor in node.factors)
    if isinstance(node, sx.Symbol):
        return len(node.names[0]) > 1 and not node.latex.startswith("\\")
    return isinstance(node, (sx.Group, sx.Label)) or (
        isinstance(node, sx.Mark) and node.kind == "star"
    )


def spellings(symbol: sx.Symbol, texts: list[str]) -> Iterator[str]:
    """Yield the Python names of a symbol with some scripts, the usual one first."""
    for name in symbol.names:
        bare = name.rstrip("_") if texts else name
        tight = all(text.isdigit() for text in texts)
        if tight and texts:
            yield bare + "".join(texts)
        yield "_".join([bare, *texts])


def binding_name(latex: str) -> str:
    """Return the Python name a symbol written in LaTeX is bound under.

    Examples
    --------
    >>> binding_name(r"\\hat{m}_{t-1}")
    'm_hat_prev'
    """
    if latex.isidentifier():
        return latex
    node = sx.parse_symbol(latex)
    if isinstance(node, sx.Symbol):
        return node.names[0]
    if not isinstance(node, sx.Scripted) or not isinstance(node.base, sx.Symbol):
        raise EquationError(f"{latex} is no symbol")
    texts = [script_text(script) for script in node.subs + node.sups]
    if None in texts:
        raise EquationError(f"{latex} has a script that cannot be part of a name")
    name = next(spellings(node.base, [text for text in texts if text]))
    return name + "_prime" * node.primes


# --- the resolver ---


@dataclass(frozen=True)
class Head:
    """A symbol that was looked up, with the scripts its name did not use."""

    name: str
    latex: str
    subs: tuple[sx.Node, ...] = ()
    sups: tuple[sx.Node, ...] = ()
    primes: int = 0


@dataclass
class Scope:
    """What the signs of one equation are looked up in.

    Attributes
    ----------
    quantities : Quantities
        The bindings.
    indices : set of str
        The letters that run: unbound, and standing where an index can stand.
    standing_alone : set of str
        The quantities that occur without an argument behind them.
    """

    quantities: Quantities
    indices: set[str] = field(default_factory=set)
    standing_alone: set[str] = field(default_factory=set)


def scope_of(quantities: Quantities, relation: sx.Node) -> Scope:
    """Look an equation through for its indices and its quantities."""
    scope = Scope(quantities)
    scope.standing_alone = quantities_alone(scope, relation)
    scope.indices = set(index_names(scope, relation))
    return scope


def find(scope: Scope, node: sx.Node) -> Head | None:
    """Look a symbol up: the longest bound name wins."""
    if isinstance(node, sx.Symbol):
        node = sx.Scripted(node.span, node, (), (), 0)
    if not isinstance(node, sx.Scripted) or not isinstance(node.base, sx.Symbol):
        return None
    named = tuple(sup for sup in node.sups if is_name_like(sup))
    for subs, sups in ((node.subs, named), ((), named), (node.subs, ()), ((), ())):
        texts = [script_text(script) for script in subs + sups]
        if None in texts:
            continue
        for primes in dict.fromkeys((node.primes, 0)):
            for name in spellings(node.base, [text for text in texts if text]):
                name += "_prime" * primes
                if name in scope.quantities.values or name in scope.quantities.after:
                    return looked_up(scope, name, node, subs, sups, primes)
    return None


def looked_up(
    scope: Scope,
    name: str,
    node: sx.Scripted,
    subs: tuple[sx.Node, ...],
    sups: tuple[sx.Node, ...],
    primes: int,
) -> Head:
    """Note the use of a name and keep the scripts that are left."""
    assert isinstance(node.base, sx.Symbol)
    latex = node.base.latex + "'" * primes
    latex += "".join(f"_{{{script_text(script)}}}" for script in subs)
    latex += "".join(f"^{{{script_text(script)}}}" for script in sups)
    rest = tuple(sup for sup in node.sups if sup not in sups)
    return Head(name, latex, () if subs else node.subs, rest, node.primes - primes)


def index_names(scope: Scope, relation: sx.Node) -> Iterator[str]:
    """Yield every unbound letter that stands where an index can stand."""
    for node in sx.walk(relation):
        scripts: tuple[sx.Node, ...] = ()
        if isinstance(node, sx.Scripted) and not is_consumed(scope, node):
            scripts = node.subs + tuple(sup for sup in node.sups if is_name_like(sup))
        elif isinstance(node, sx.Reduction):
            scripts = node.subs
        for symbol in sx.walk(scripts):
            if isinstance(symbol, sx.Symbol):
                yield from (
                    name for name in split_letters(scope, symbol) if not is_bound(scope, name)
                )


def is_consumed(scope: Scope, node: sx.Scripted) -> bool:
    """Tell whether all scripts of a symbol are part of a bound name."""
    head = find(scope, node)
    return (
        head is not None and not head.subs and not any(is_name_like(sup) for sup in head.sups)
    )


def is_bound(scope: Scope, name: str) -> bool:
    return name in scope.quantities.values


def split_letters(scope: Scope, symbol: sx.Symbol) -> tuple[str, ...]:
    """Read `dk` in a subscript as two indices, unless it is bound."""
    name = symbol.names[0]
    if len(symbol.latex) == 2 and symbol.latex.isalpha() and not is_bound(scope, name):
        return tuple(name)
    return (name,) if len(name) == 1 or symbol.latex.startswith("\\") else ()


def quantities_alone(scope: Scope, relation: sx.Node) -> set[str]:
    """Name the quantities that stand in the equation without an argument behind them."""
    alone: set[str] = set()
    collect_alone(scope, relation, alone)
    return alone


def collect_alone(scope: Scope, node: object, alone: set[str]) -> None:
    """Walk the tree; what is differentiated or has an argument behind it does not count."""
    if isinstance(node, tuple):
        for item in node:
            collect_alone(scope, item, alone)
        return
    if isinstance(node, sx.Fraction) and operator_parts(scope, node):
        return
    if isinstance(node, sx.Term):
        for number, factor in enumerate(node.factors):
            following = node.factors[number + 1] if number + 1 < len(node.factors) else None
            juxtaposed = following is not None and not node.operators[number + 1]
            if juxtaposed and is_argument(following) and find(scope, factor):
                continue
            if number and is_nabla(node.factors[number - 1]):
                continue
            collect_alone(scope, factor, alone)
        return
    head = find(scope, node) if isinstance(node, (sx.Symbol, sx.Scripted)) else None
    if head:
        alone.add(head.name)
    if isinstance(node, sx.Scripted):
        collect_alone(scope, (node.base,) if head is None else (), alone)
        collect_alone(scope, node.sups, alone)
    elif isinstance(node, sx.Node) and not isinstance(node, sx.Symbol):
        for name in node.__dataclass_fields__:
            collect_alone(scope, getattr(node, name), alone)


def is_argument(node: sx.Node | None) -> bool:
    """Tell whether something is in brackets, as an argument is, scripts behind it or not."""
    return isinstance(node.base if isinstance(node, sx.Scripted) else node, sx.Group)


def index_parts(item: sx.Node) -> tuple[sx.Node, ...]:
    """Take indices that stand side by side apart: `ij` is two of them, `2i` is a product."""
    if isinstance(item, sx.Term) and not any(item.operators):
        numbers = [isinstance(factor, sx.Number) for factor in item.factors]
        if not numbers[0] or all(numbers):
            return item.factors
    return (item,)


def is_nabla(node: sx.Node) -> bool:
    """Tell whether something is a nabla."""
    base = node.base if isinstance(node, sx.Scripted) else node
    return isinstance(base, sx.Special) and base.kind == "NABLA"


def one(node: sx.Node) -> sx.Node:
    """Return the one thing in braces or brackets."""
    if isinstance(node, (sx.Inside, sx.Group)):
        if len(node.items) != 1:
            raise EquationError("one thing is expected here", node.span)
        return node.items[0]
    return node


def operator_parts(
    scope: Scope, node: sx.Fraction
) -> tuple[sx.Node | None, list[tuple[sx.Node, int]]] | None:
    """Take `\\frac{\\partial f}{\\partial x}` apart; None when it is a plain fraction."""
    numerator = difference_parts(node.numerator, scope)
    denominator = difference_parts(node.denominator, scope)
    if numerator is None or denominator is None or not denominator[1]:
        return None
    kind, body, order = numerator
    if kind != denominator[0]:
        return None
    parts = denominator_parts(node.denominator, kind)
    if order != sum(power for _, power in parts):
        raise EquationError("the orders of this derivative above and below differ", node.span)
    return (
        body[0] if len(body) == 1 else sx.Term(node.numerator.span, ("",) * len(body), body)
    ) if body else None, parts


def difference_parts(
    node: sx.Node, scope: Scope
) -> tuple[str, tuple[sx.Node, ...], int] | None:
    """Split `\\partial^2 f` or `df` into its sign, what follows, and the order."""
    factors = node.factors if isinstance(node, sx.Term) else (node,)
    first = factors[0]
    base = first.base if isinstance(first, sx.Scripted) else first
    if isinstance(base, sx.Special) and base.kind == "PARTIAL":
        return "partial", factors[1:], script_order(first)
    if (
        isinstance(base, sx.Symbol)
        and base.latex in ("d", "\\mathrm{d}")
        and not find(scope, first)
    ):
        return "d", factors[1:], script_order(first)
    if (
        isinstance(base, sx.Symbol)
        and base.latex.startswith("d")
        and len(base.latex) > 1
        and not find(scope, first)
    ):
        return "d", (without_d(first), *factors[1:]), 1
    return None


def script_order(node: sx.Node) -> int:
    """Read the order of a derivative off `\\partial^2`."""
    sups = node.sups if isinstance(node, sx.Scripted) else ()
    return int(sups[0].text) if sups and isinstance(sups[0], sx.Number) else 1


def without_d(node: sx.Node) -> sx.Node:
    """Turn `dx` into `x`, scripts kept."""
    if isinstance(node, sx.Scripted):
        return sx.Scripted(node.span, without_d(node.base), node.subs, node.sups, node.primes)
    assert isinstance(node, sx.Symbol)
    return sx.Symbol(node.span, node.latex[1:], tuple(name[1:] for name in node.names))


def denominator_parts(node: sx.Node, kind: str) -> list[tuple[sx.Node, int]]:
    """Read `\\partial x \\partial y` or `dx^2` as symbols with the order of each."""
    factors = node.factors if isinstance(node, sx.Term) else (node,)
    parts = []
    for factor in factors:
        base = factor.base if isinstance(factor, sx.Scripted) else factor
        if isinstance(base, sx.Special) or (
            isinstance(base, sx.Symbol) and base.latex in ("d", "\\mathrm{d}")
        ):
            continue
        if kind == "d" and isinstance(base, sx.Symbol) and base.latex.startswith("d"):
            factor = without_d(factor)
        parts.append(split_power(factor))
    return parts


def split_power(node: sx.Node) -> tuple[sx.Node, int]:
    """Split `x^2` in a denominator into x and 2."""
    if isinstance(node, sx.Scripted):
        powers = [sup for sup in node.sups if isinstance(sup, sx.Number)]
        if powers:
            rest = tuple(sup for sup in node.sups if sup not in powers)
            return sx.Scripted(node.span, node.base, node.subs, rest, 0), int(powers[0].text)
    return node, 1
