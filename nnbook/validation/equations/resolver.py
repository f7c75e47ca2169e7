"""From the writing to its meaning: the bindings decide what juxtaposition and scripts say.

`f(x)` is an application when f is bound to a function, a product otherwise. `W_f` is a name when
that name is bound, an element of W when f is an index. `a(1 - a)` multiplies when a also
stands alone in the display: then it is a quantity, not a function being applied.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from nnbook.validation.equations import expressions as ex
from nnbook.validation.equations import syntax as sx
from nnbook.validation.equations.derivatives import Derivative, Gradient
from nnbook.validation.equations.expressions import Expression
from nnbook.validation.equations.messages import EquationError, Span
from nnbook.validation.equations.quantities import Quantities

__all__ = ["Scope", "binding_name", "resolve", "scope_of"]

Path = tuple[Expression, ...]


# --- names --------------------------------------------------------------------------------------


def script_text(node: sx.Node) -> str | None:
    """Spell a script as part of a Python name, or return None when it cannot be one."""
    if isinstance(node, sx.Inside):
        parts = [script_text(item) for item in node.items]
        if node.condition or node.transposed or None in parts:
            return None
        return "".join(part for part in parts if part)
    if isinstance(node, sx.Group):
        parts = [script_text(item) for item in node.items]
        return None if None in parts or node.bracket == "{" else "".join(part for part in parts if part)
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
    if isinstance(step, sx.Number) and step.text == "1" and isinstance(node.terms[0], sx.Symbol):
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
    return isinstance(node, (sx.Group, sx.Label)) or (isinstance(node, sx.Mark) and node.kind == "star")


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


# --- the resolver -----------------------------------------------------------------------------


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


def looked_up(scope: Scope, name: str, node: sx.Scripted, subs: tuple[sx.Node, ...], sups: tuple[sx.Node, ...], primes: int) -> Head:
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
                yield from (name for name in split_letters(scope, symbol) if not is_bound(scope, name))


def is_consumed(scope: Scope, node: sx.Scripted) -> bool:
    """Tell whether all scripts of a symbol are part of a bound name."""
    head = find(scope, node)
    return head is not None and not head.subs and not any(is_name_like(sup) for sup in head.sups)


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


# --- Expressions -------------------------------------------------------------------------------


Rule = Callable[[Any, Any], Expression]
RULES: dict[type[sx.Node], Rule] = {}


def rule(kind: type[sx.Node]) -> Callable[[Rule], Rule]:
    """Register the function that resolves one kind of node."""

    def register(function: Rule) -> Rule:
        RULES[kind] = function
        return function

    return register


def resolve(scope: Scope, node: sx.Node) -> Expression:
    """Resolve any part of an equation."""
    if type(node) not in RULES:
        raise EquationError("this cannot stand here", node.span)
    return RULES[type(node)](scope, node)


@rule(sx.Number)
def resolve_number(scope: Scope, node: sx.Number) -> Expression:
    return ex.Constant(node.span, float(node.text), node.text)


@rule(sx.Symbol)
def resolve_symbol(scope: Scope, node: sx.Symbol) -> Expression:
    return resolve_name(scope, node, node)


@rule(sx.Scripted)
def resolve_scripted(scope: Scope, node: sx.Scripted) -> Expression:
    base = node.base
    if isinstance(base, sx.Symbol):
        return resolve_name(scope, node, base)
    if isinstance(base, sx.Special):
        return resolve_sign(scope, node, base)
    if isinstance(base, sx.Bars):
        return with_scripts(scope, resolve_norm(scope, base, node.subs), (), node.sups, 0, node)
    return with_scripts(scope, resolve(scope, base), node.subs, node.sups, node.primes, node)


def resolve_name(scope: Scope, node: sx.Node, symbol: sx.Symbol) -> Expression:
    """Resolve a symbol with its scripts: bound, an index, or one of the few fixed ones."""
    head = find(scope, node)
    if head is not None:
        return resolve_bound(scope, head, node)
    subs = node.subs if isinstance(node, sx.Scripted) else ()
    sups = node.sups if isinstance(node, sx.Scripted) else ()
    known = resolve_known(scope, symbol, subs)
    if known is not None:
        left = () if subs and not isinstance(known, ex.Constant) else subs
        return with_scripts(scope, known, left, sups, 0, node)
    if symbol.names[0] in scope.indices and not subs:
        return with_scripts(scope, ex.IndexVariable(symbol.span, symbol.names[0]), (), sups, 0, node)
    raise EquationError(unbound_message(scope, symbol, node), node.span)


def unbound_message(scope: Scope, symbol: sx.Symbol, node: sx.Node) -> str:
    """Say which names would bind a symbol."""
    names = [symbol.names[0]]
    if isinstance(node, sx.Scripted):
        texts = [script_text(script) for script in node.subs]
        if texts and None not in texts:
            names.insert(0, next(spellings(symbol, [text for text in texts if text])))
    wanted = " or ".join(f"{name}=…" for name in dict.fromkeys(names))
    bound = ", ".join(sorted(scope.quantities.values)) or "nothing"
    return f"{symbol.latex} is not bound: pass {wanted} (bound: {bound})"


def resolve_bound(scope: Scope, head: Head, node: sx.Node) -> Expression:
    """Resolve a bound symbol that is not applied."""
    scope.quantities.use(head.name, head.latex, node.span)
    if scope.quantities.is_function(head.name) and not scope.quantities.is_quantity(head.name):
        raise EquationError(
            f"{head.latex} is bound to a function and must be applied, {head.latex}(x); a quantity "
            "is a function whose parameters are bound as well",
            node.span,
        )
    reference = ex.Reference(node.span, head.name, head.latex)
    if head.primes:
        raise EquationError(f"the prime of {head.latex} needs a function: {head.latex}'(x)", node.span)
    return with_scripts(scope, reference, head.subs, head.sups, 0, node)


def resolve_known(scope: Scope, symbol: sx.Symbol, subs: tuple[sx.Node, ...]) -> Expression | None:
    """Resolve the symbols with a meaning of their own: e, π, I_n, δ_ij."""
    name = symbol.names[0]
    if name == "pi":
        return ex.Constant(symbol.span, math.pi)
    if name == "e" and not subs:
        return ex.Constant(symbol.span, math.e)
    if name == "I" and len(subs) == 1:
        return ex.Identity(symbol.span, resolve(scope, one(subs[0])))
    if name == "delta" and len(subs) == 1:
        path = resolve_path(scope, subs)
        if len(path) == 2:
            return ex.Kronecker(symbol.span, *path)
    return None


# --- Scripts -----------------------------------------------------------------------------------


def with_scripts(scope: Scope, base: Expression, subs: tuple[sx.Node, ...], sups: tuple[sx.Node, ...], primes: int, node: sx.Node) -> Expression:
    """Apply scripts: layers and examples first, then elements, then powers and transposes."""
    if primes:
        raise EquationError("a prime belongs to a function that is applied: g'(z)", node.span)
    marks = [part for sup in sups for part in flat(sup)]
    layers = [part for part in marks if isinstance(part, sx.Group) and part.bracket == "["]
    examples = [part for part in marks if isinstance(part, sx.Group) and part.bracket == "("]
    path = tuple(resolve(scope, one(part)) for part in layers + examples) + resolve_path(scope, subs, base)
    result = ex.Index(node.span, base, path) if path else base
    for part in marks:
        if part not in layers and part not in examples:
            result = raise_by(scope, result, part, node.span)
    return result


def raise_by(scope: Scope, base: Expression, script: sx.Node, span: Span) -> Expression:
    """Apply one superscript that is no index."""
    if isinstance(script, sx.Mark) and script.kind == "top":
        return ex.Transpose(span, base)
    if isinstance(script, sx.Mark):
        raise EquationError("a star is part of a name, and this name is not bound", script.span)
    if isinstance(script, sx.ElementwisePower):
        return ex.Power(span, base, resolve(scope, script.exponent), elementwise=True)
    if isinstance(script, sx.Symbol) and script.latex == "T" and not is_bound(scope, "T"):
        raise EquationError(r"write the transpose as ^\top", script.span)
    return ex.Power(span, base, resolve(scope, script))


def resolve_path(scope: Scope, subs: tuple[sx.Node, ...], base: Expression | None = None) -> Path:
    """Resolve subscripts into indices: `ij`, `i,j`, `t-1`, `i(j+1)`."""
    steps: list[Expression] = []
    for sub in subs:
        items = sub.items if isinstance(sub, sx.Inside) else (sub,)
        for item in items:
            juxtaposed = isinstance(item, sx.Term) and not any(item.operators)
            first = item.factors[0] if isinstance(item, sx.Term) else item
            if juxtaposed and not isinstance(first, sx.Number):
                steps += [step for factor in item.factors for step in resolve_index(scope, factor, base)]
            elif juxtaposed and all(isinstance(factor, sx.Number) for factor in item.factors):
                steps += [resolve(scope, factor) for factor in item.factors]
            else:
                steps += resolve_index(scope, item, base)
    return tuple(steps)


def resolve_index(scope: Scope, node: sx.Node, base: Expression | None) -> list[Expression]:
    """Resolve one index; `12` means row 1, column 2 when the base is a matrix."""
    if isinstance(node, sx.Label):
        raise EquationError(f"{node.text} is part of a name, and this name is not bound", node.span)
    if isinstance(node, sx.Symbol) and not is_bound(scope, node.names[0]):
        letters = split_letters(scope, node)
        if not letters:
            raise EquationError(f"{node.latex} is part of a name, and this name is not bound", node.span)
        return [ex.IndexVariable(node.span, letter) for letter in letters]
    if isinstance(node, sx.Number) and len(node.text) > 1 and isinstance(base, ex.Reference):
        value = scope.quantities.value(base.name, {})
        if len(ex.shape_of(value)) >= len(node.text):
            return [ex.Constant(node.span, float(digit), digit) for digit in node.text]
    return [resolve(scope, node)]


# --- Products and applications -----------------------------------------------------------------


@rule(sx.Sum)
def resolve_sum(scope: Scope, node: sx.Sum) -> Expression:
    return ex.Total(node.span, node.signs, tuple(resolve(scope, term) for term in node.terms))


@rule(sx.Term)
def resolve_term(scope: Scope, node: sx.Term) -> Expression:
    """Resolve a row of factors: applications first, the rest is a product."""
    operators: list[str] = []
    factors: list[Expression] = []
    at = 0
    refuse_ambiguous(scope, node)
    while at < len(node.factors):
        operators.append(node.operators[at])
        factor, taken = resolve_factor(scope, node, at)
        factors.append(factor)
        at += taken
    if len(factors) == 1:
        return factors[0]
    return ex.Product(node.span, tuple(operators), tuple(factors))


def refuse_ambiguous(scope: Scope, node: sx.Term) -> None:
    """Refuse `a / b c` and `\\log a b`: readers differ on how far they reach."""
    for number in range(len(node.factors) - 1):
        following = node.factors[number + 1]
        plain = isinstance(following, (sx.Symbol, sx.Number, sx.Scripted)) and not node.operators[number + 1]
        if plain and node.operators[number] == "/":
            raise EquationError(r"a / b c is ambiguous: write \frac", node.span)
        factor = node.factors[number]
        bare = isinstance(factor, sx.Function) and not is_argument(factor.argument)
        if plain and bare and not isinstance(following, sx.Scripted | sx.Number):
            raise EquationError("how far does this function reach? put parentheses around its argument", factor.span)


def resolve_factor(scope: Scope, node: sx.Term, at: int) -> tuple[Expression, int]:
    """Resolve the factor at a position; return it and how many factors it takes up."""
    factor = node.factors[at]
    following = node.factors[at + 1] if at + 1 < len(node.factors) and not node.operators[at + 1] else None
    if isinstance(factor, sx.Fraction):
        parts = operator_parts(scope, factor)
        if parts and parts[0] is None:
            return apply_operator(scope, factor, node, at), len(node.factors) - at
    if is_nabla(factor):
        return resolve_gradient(scope, node, at)
    if following is not None and is_argument(following):
        applied = resolve_applied(scope, factor, following)
        if applied is not None:
            return applied, 2
    return resolve(scope, factor), 1


def resolve_applied(scope: Scope, function: sx.Node, argument: sx.Node) -> Expression | None:
    """Resolve `f(x)` when f can be applied, with the scripts that stand behind the argument."""
    group, scripts = (argument.base, argument) if isinstance(argument, sx.Scripted) else (argument, None)
    assert isinstance(group, sx.Group)
    result = apply_fixed(scope, function, group) or apply_bound(scope, function, group)
    if result is None or scripts is None:
        return result
    return with_scripts(scope, result, scripts.subs, scripts.sups, scripts.primes, scripts)


def apply_fixed(scope: Scope, function: sx.Node, group: sx.Group) -> Expression | None:
    """Resolve the functions the notation knows: indicators, expectations, diag, tr, O."""
    span = (function.span[0], group.span[1])
    if isinstance(function, sx.Special) and function.kind == "ONES":
        return ex.Iverson(span, resolve_condition(scope, group.items))
    if isinstance(function, sx.Special) and function.kind == "EXPECTATION":
        return ex.Expectation(span, "E", resolve_argument(scope, group))
    if not isinstance(function, sx.Symbol) or find(scope, function):
        return None
    name = function.names[0]
    if name in ("E", "Var", "var"):
        return ex.Expectation(span, "E" if name == "E" else "Var", resolve_argument(scope, group))
    if name == "O":
        return ex.Remainder(span, resolve_argument(scope, group))
    if name in ex.ELEMENTWISE or name in ex.OF_ARRAYS:
        return ex.Elementary(span, name, resolve_argument(scope, group))
    return None


def apply_bound(scope: Scope, function: sx.Node, group: sx.Group) -> Expression | None:
    """Resolve a bound function; a quantity that also stands alone is a factor instead."""
    head = find(scope, function)
    if head is None or not scope.quantities.is_function(head.name) or group.bracket == "{":
        return None
    if scope.quantities.is_quantity(head.name) and head.name in scope.standing_alone and not head.primes:
        return None
    scope.quantities.use(head.name, head.latex, function.span)
    sups, order = derivative_order(scope, head)
    span = (function.span[0], group.span[1])
    arguments = tuple(resolve(scope, item) for item in group.items)
    result = ex.Application(span, head.name, arguments, order)
    return with_scripts(scope, result, head.subs, sups, 0, function)


def derivative_order(scope: Scope, head: Head) -> tuple[tuple[sx.Node, ...], int]:
    """Read primes and `f^{(3)}` as the order of a derivative."""
    order, left = head.primes, []
    for sup in head.sups:
        inner = one(sup) if isinstance(sup, sx.Inside) else sup
        number = one(inner) if isinstance(inner, sx.Group) and inner.bracket == "(" else None
        if isinstance(number, sx.Number):
            order += int(number.text)
        else:
            left.append(sup)
    return tuple(left), order


def resolve_argument(scope: Scope, group: sx.Group) -> Expression:
    """Resolve the one argument of a function."""
    if len(group.items) != 1:
        raise EquationError("one argument is expected here", group.span)
    return resolve(scope, group.items[0])


# --- Groups, fractions, functions --------------------------------------------------------------


@rule(sx.Group)
def resolve_group(scope: Scope, node: sx.Group) -> Expression:
    if len(node.items) == 1 and isinstance(node.items[0], sx.Relation):
        if node.bracket == "[":
            return ex.Iverson(node.span, resolve_condition(scope, node.items))
        raise EquationError("a condition stands in square brackets, [z > 0]", node.span)
    if len(node.items) != 1:
        raise EquationError("a list of arguments without a function before it: is the function bound?", node.span)
    return resolve(scope, node.items[0])


@rule(sx.Inside)
def resolve_inside(scope: Scope, node: sx.Inside) -> Expression:
    return resolve(scope, one(node))


def resolve_condition(scope: Scope, items: tuple[sx.Node, ...]) -> Expression:
    """Resolve a condition."""
    item = items[0]
    if len(items) != 1 or not isinstance(item, sx.Relation):
        raise EquationError("a condition is expected here, such as z > 0", item.span)
    return resolve_relation(scope, item)


@rule(sx.Relation)
def resolve_relation(scope: Scope, node: sx.Relation) -> Expression:
    wrong = [sign for sign in node.signs if sign not in ex.COMPARISONS and sign != "\\in"]
    if wrong:
        raise EquationError(f"{wrong[0]} cannot stand in a condition", node.span)
    return ex.Condition(node.span, tuple(resolve(scope, side) for side in node.sides), node.signs)


@rule(sx.Fraction)
def resolve_fraction(scope: Scope, node: sx.Fraction) -> Expression:
    parts = operator_parts(scope, node)
    if parts:
        if parts[0] is None:
            raise EquationError("a derivative of what? write \\frac{\\partial f}{\\partial x}", node.span)
        return differentiate(scope, node, resolve(scope, parts[0]), parts[1])
    return ex.Quotient(node.span, resolve(scope, node.numerator), resolve(scope, node.denominator))


@rule(sx.Root)
def resolve_root(scope: Scope, node: sx.Root) -> Expression:
    degree = None if node.degree is None else resolve(scope, node.degree)
    return ex.RootOf(node.span, degree, resolve(scope, node.body))


@rule(sx.Function)
def resolve_function(scope: Scope, node: sx.Function) -> Expression:
    """Resolve log, exp, … and max, min of arguments."""
    argument, after = node.argument, None
    if isinstance(argument, sx.Scripted) and isinstance(argument.base, sx.Group):
        argument, after = argument.base, argument
    if node.name in ("max", "min"):
        items = argument.items if isinstance(argument, sx.Group) else (argument,)
        result: Expression = ex.Extreme(node.span, node.name, tuple(resolve(scope, item) for item in items))
    else:
        result = ex.Elementary(node.span, node.name, resolve(scope, argument))
    for scripts in (node.scripts, after):
        if scripts is not None:
            result = with_scripts(scope, result, scripts.subs, scripts.sups, scripts.primes, scripts)
    return result


@rule(sx.Bars)
def resolve_bars(scope: Scope, node: sx.Bars) -> Expression:
    return resolve_norm(scope, node, ())


def resolve_norm(scope: Scope, node: sx.Bars, subs: tuple[sx.Node, ...]) -> Expression:
    """Resolve an absolute value or a norm; the norm's order is its subscript."""
    body = resolve(scope, node.body)
    if node.kind == "absolute":
        return ex.Absolute(node.span, body)
    if node.kind in ("ceil", "floor"):
        return ex.Elementary(node.span, node.kind, body)
    order = script_text(subs[0]) if subs else "2"
    if order not in ("1", "2", "F"):
        raise EquationError("the norms are \\|x\\|, \\|x\\|_1, \\|x\\|_2 and \\|A\\|_F", node.span)
    return ex.Norm(node.span, body, order)


@rule(sx.Cases)
def resolve_cases(scope: Scope, node: sx.Cases) -> Expression:
    rows = tuple(
        (resolve(scope, row.value), tuple(resolve_condition(scope, (item,)) for item in row.conditions)) for row in node.rows
    )
    return ex.Piecewise(node.span, rows)


@rule(sx.Matrix)
def resolve_matrix(scope: Scope, node: sx.Matrix) -> Expression:
    return ex.Written(node.span, tuple(tuple(resolve(scope, cell) for cell in row) for row in node.rows))


@rule(sx.Special)
def resolve_special(scope: Scope, node: sx.Special) -> Expression:
    return resolve_sign(scope, sx.Scripted(node.span, node, (), (), 0), node)


def resolve_sign(scope: Scope, node: sx.Scripted, sign: sx.Special) -> Expression:
    """Resolve `\\mathbf{1}_m` and `\\mathbb{1}_{z > 0}`; the other signs need company."""
    if sign.kind == "ONES" and len(node.subs) == 1:
        inner = one(node.subs[0])
        if isinstance(inner, sx.Relation):
            return ex.Iverson(node.span, resolve_relation(scope, inner))
        return with_scripts(scope, ex.AllOnes(node.span, resolve(scope, inner)), (), node.sups, 0, node)
    needs = {
        "ONES": r"\mathbf{1}_m is a vector of ones, \mathbb{1}[z > 0] an indicator",
        "PARTIAL": r"\partial stands in \frac{\partial f}{\partial x}",
        "NABLA": r"\nabla_\theta J needs the quantity behind it",
        "EXPECTATION": r"\mathbb{E}[x] needs brackets",
        "REALS": r"\mathbb{R}^{m \times n} stands behind \in",
    }
    raise EquationError(needs[sign.kind], node.span)


@rule(sx.Annotated)
def resolve_annotated(scope: Scope, node: sx.Annotated) -> Expression:
    """Resolve what is written under a term: its shape, or another name."""
    body = resolve(scope, node.body)
    below = node.below[0]
    if isinstance(below, sx.Label):
        return body
    lengths = shape_lengths(node.below)
    if lengths is not None:
        return ex.Shaped(node.span, body, tuple(resolve(scope, length) for length in lengths))
    return ex.Named(node.span, body, resolve(scope, below))


@rule(sx.At)
def resolve_at(scope: Scope, node: sx.At) -> Expression:
    point = node.point
    head = find(scope, point.sides[0]) if isinstance(point, sx.Relation) and point.signs == ("=",) else None
    if head is None or head.subs or head.sups or not isinstance(point, sx.Relation):
        raise EquationError("the point is written as x = 0, with a bound symbol", point.span)
    return ex.AtPoint(node.span, resolve(scope, node.body), head.name, resolve(scope, point.sides[1]))


# --- Indices that run --------------------------------------------------------------------------


@rule(sx.Reduction)
def resolve_reduction(scope: Scope, node: sx.Reduction) -> Expression:
    """Resolve a sum, product, maximum or arg max over an index."""
    lower = upper = members = condition = None
    names: list[str] = []
    if not node.subs:
        raise EquationError(f"\\{node.name} needs its index: \\{node.name}_i", node.span)
    sub = node.subs[0]
    items = sub.items if isinstance(sub, sx.Inside) else (sub,)
    conditions = [sub.condition] if isinstance(sub, sx.Inside) and sub.condition else []
    for item in items:
        if not isinstance(item, sx.Relation):
            names += running_letters(scope, item)
        elif item.signs == ("=",) and not names:
            names += running_letters(scope, item.sides[0])
            lower = resolve(scope, item.sides[1])
        elif item.signs == ("\\in",) and not names:
            names += running_letters(scope, item.sides[0])
            members = resolve(scope, item.sides[1])
        else:
            names += [] if names else running_letters(scope, item.sides[0])
            conditions.append(item)
    if len(conditions) > 1:
        raise EquationError("one condition behind the index, please", node.span)
    if conditions:
        condition = resolve_condition(scope, (conditions[0],))
    if (lower is None) != (not node.sups):
        raise EquationError("a lower bound needs an upper one, and the other way round: \\sum_{i=1}^{m}", node.span)
    if node.sups:
        upper = resolve(scope, one(node.sups[0]))
    return ex.Reduce(node.span, node.name, tuple(names), lower, upper, members, condition, resolve(scope, node.body))


def running_letters(scope: Scope, node: sx.Node) -> list[str]:
    """Name the indices a sum runs over."""
    parts = node.factors if isinstance(node, sx.Term) and not any(node.operators) else (node,)
    names = [name for part in parts if isinstance(part, sx.Symbol) for name in split_letters(scope, part)]
    if not names or any(not isinstance(part, sx.Symbol) for part in parts):
        raise EquationError("an index is a single letter", node.span)
    for name in names:
        if is_bound(scope, name):
            raise EquationError(f"{name} is bound, so it cannot run: take another letter for the index", node.span)
    return names


# --- Derivatives -------------------------------------------------------------------------------


def operator_parts(scope: Scope, node: sx.Fraction) -> tuple[sx.Node | None, list[tuple[sx.Node, int]]] | None:
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
    return (body[0] if len(body) == 1 else sx.Term(node.numerator.span, ("",) * len(body), body)) if body else None, parts


def differentiate(scope: Scope, node: sx.Node, body: Expression, parts: list[tuple[sx.Node, int]]) -> Expression:
    """Differentiate with respect to each symbol in turn, the last one first."""
    for symbol, power in reversed(parts):
        head = find(scope, symbol)
        if head is None:
            raise EquationError("this symbol is not bound: the derivative needs its value", symbol.span)
        scope.quantities.use(head.name, head.latex, symbol.span)
        reference = ex.Reference(symbol.span, head.name, head.latex)
        target = resolve_element(scope, head, reference, symbol)
        for _ in range(power):
            body = Derivative(node.span, body, reference, target)
    return body


def resolve_element(scope: Scope, head: Head, reference: ex.Reference, node: sx.Node) -> Expression:
    """Resolve the symbol, or the element of one, that a derivative is taken by."""
    target = with_scripts(scope, reference, head.subs, head.sups, head.primes, node)
    if target is reference or isinstance(target, ex.Index):
        return target
    raise EquationError("a derivative is taken by a symbol or one of its elements", node.span)


def apply_operator(scope: Scope, fraction: sx.Fraction, node: sx.Term, at: int) -> Expression:
    """Apply `\\frac{\\partial}{\\partial x}` to the rest of its term."""
    parts = operator_parts(scope, fraction)
    assert parts is not None
    rest = node.factors[at + 1 :]
    if not rest:
        raise EquationError("a derivative of what?", fraction.span)
    span = (rest[0].span[0], rest[-1].span[1])
    operators = ("",) + node.operators[at + 2 :]
    body = rest[0] if len(rest) == 1 else sx.Term(span, operators, rest)
    return differentiate(scope, fraction, resolve(scope, body), parts[1])


def resolve_gradient(scope: Scope, node: sx.Term, at: int) -> tuple[Expression, int]:
    """Resolve `\\nabla_\\theta J` and `\\nabla J(\\theta)`."""
    sign = node.factors[at]
    subs = sign.subs if isinstance(sign, sx.Scripted) else ()
    rest = node.factors[at + 1 : at + 3]
    if not rest:
        raise EquationError("a gradient of what? write \\nabla_\\theta J", sign.span)
    applied = resolve_applied(scope, rest[0], rest[1]) if len(rest) == 2 and is_argument(rest[1]) else None
    taken = 3 if applied else 2
    if subs:
        return differentiate(scope, sign, applied or resolve(scope, rest[0]), [(one(subs[0]), 1)]), taken
    if isinstance(applied, ex.Application) and len(applied.arguments) == 1:
        return Gradient(applied.span, applied.name, applied.arguments[0]), taken
    raise EquationError("a gradient by what? write \\nabla_\\theta J or \\nabla J(\\theta)", sign.span)


# --- shapes of the writing --------------------------------------------------------------------


def one(node: sx.Node) -> sx.Node:
    """Return the one thing in braces or brackets."""
    if isinstance(node, (sx.Inside, sx.Group)):
        if len(node.items) != 1:
            raise EquationError("one thing is expected here", node.span)
        return node.items[0]
    return node


def flat(sup: sx.Node) -> list[sx.Node]:
    """Take a superscript apart: `[l](i)\\top` holds three."""
    if isinstance(sup, sx.Inside):
        parts = [part for item in sup.items for part in flat(item)]
        return parts + ([sx.Mark(sup.span, "top")] if sup.transposed else [])
    if isinstance(sup, sx.Term) and all(isinstance(factor, sx.Group) for factor in sup.factors):
        return list(sup.factors)
    return [sup]


def is_argument(node: sx.Node | None) -> bool:
    """Tell whether something can be the argument of a function: brackets, scripts behind them or not."""
    return isinstance(node.base if isinstance(node, sx.Scripted) else node, sx.Group)


def is_nabla(node: sx.Node) -> bool:
    """Tell whether something is a nabla."""
    base = node.base if isinstance(node, sx.Scripted) else node
    return isinstance(base, sx.Special) and base.kind == "NABLA"


def shape_lengths(below: tuple[sx.Node, ...]) -> tuple[sx.Node, ...] | None:
    """Read `m \\times n`, `(m, n)` or `(m,)` as a shape."""
    first = below[0]
    if len(below) == 1 and isinstance(first, sx.Group) and first.bracket == "(":
        inner = shape_lengths(first.items) if len(first.items) == 1 else None
        return inner or first.items
    if len(below) == 1 and isinstance(first, sx.Term) and set(first.operators[1:]) == {"\\times"}:
        return first.factors
    return below if len(below) > 1 else None


def difference_parts(node: sx.Node, scope: Scope) -> tuple[str, tuple[sx.Node, ...], int] | None:
    """Split `\\partial^2 f` or `df` into its sign, what follows, and the order."""
    factors = node.factors if isinstance(node, sx.Term) else (node,)
    first = factors[0]
    base = first.base if isinstance(first, sx.Scripted) else first
    if isinstance(base, sx.Special) and base.kind == "PARTIAL":
        return "partial", factors[1:], script_order(first)
    if isinstance(base, sx.Symbol) and base.latex in ("d", "\\mathrm{d}") and not find(scope, first):
        return "d", factors[1:], script_order(first)
    if isinstance(base, sx.Symbol) and base.latex.startswith("d") and len(base.latex) > 1 and not find(scope, first):
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
        if isinstance(base, sx.Special) or (isinstance(base, sx.Symbol) and base.latex in ("d", "\\mathrm{d}")):
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
