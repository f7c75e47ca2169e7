"""From the writing to its meaning: the bindings decide what juxtaposition and scripts say."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nnbook.validation.equations import calculus as ca
from nnbook.validation.equations import expressions as ex
from nnbook.validation.equations import syntax as sx
from nnbook.validation.equations.expressions import Expression
from nnbook.validation.equations.grammar import EquationError, Span
from nnbook.validation.equations.names import (
    Head,
    Scope,
    find,
    index_parts,
    is_argument,
    is_bound,
    is_nabla,
    one,
    operator_parts,
    script_text,
    spellings,
    split_letters,
)
from nnbook.validation.equations.values import shape_of

Path = tuple[Expression, ...]

# --- Expressions ---


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
        return with_scripts(
            scope, ex.IndexVariable(symbol.span, symbol.names[0]), (), sups, 0, node
        )
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
            f"{head.latex} is bound to a function and must be applied, {head.latex}(x); a "
            "quantity is a function whose parameters are bound as well",
            node.span,
        )
    reference = ex.Reference(node.span, head.name, head.latex)
    if head.primes:
        raise EquationError(
            f"the prime of {head.latex} needs a function: {head.latex}'(x)", node.span
        )
    return with_scripts(scope, reference, head.subs, head.sups, 0, node)


def resolve_known(
    scope: Scope, symbol: sx.Symbol, subs: tuple[sx.Node, ...]
) -> Expression | None:
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


# --- Scripts ---


def with_scripts(
    scope: Scope,
    base: Expression,
    subs: tuple[sx.Node, ...],
    sups: tuple[sx.Node, ...],
    primes: int,
    node: sx.Node,
) -> Expression:
    """Apply scripts: layers and examples first, then elements, then powers and transposes."""
    if primes:
        raise EquationError("a prime belongs to a function that is applied: g'(z)", node.span)
    marks = [part for sup in sups for part in flat(sup)]
    layers = [part for part in marks if isinstance(part, sx.Group) and part.bracket == "["]
    examples = [part for part in marks if isinstance(part, sx.Group) and part.bracket == "("]
    path = tuple(resolve(scope, one(part)) for part in layers + examples) + resolve_path(
        scope, subs, base
    )
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


def resolve_path(
    scope: Scope, subs: tuple[sx.Node, ...], base: Expression | None = None
) -> Path:
    """Resolve subscripts into indices: `ij`, `i,j`, `t-1`, `i(j+1)`."""
    steps: list[Expression] = []
    for sub in subs:
        for item in sub.items if isinstance(sub, sx.Inside) else (sub,):
            for part in index_parts(item):
                steps += resolve_index(scope, part, base)
    return tuple(steps)


def resolve_index(scope: Scope, node: sx.Node, base: Expression | None) -> list[Expression]:
    """Resolve one index; `12` means row 1, column 2 when the base is a matrix."""
    if isinstance(node, sx.Label):
        raise EquationError(
            f"{node.text} is part of a name, and this name is not bound", node.span
        )
    if isinstance(node, sx.Symbol) and not is_bound(scope, node.names[0]):
        letters = split_letters(scope, node)
        if not letters:
            raise EquationError(
                f"{node.latex} is part of a name, and this name is not bound", node.span
            )
        return [ex.IndexVariable(node.span, letter) for letter in letters]
    if (
        isinstance(node, sx.Number)
        and len(node.text) > 1
        and has_axes(scope, base, len(node.text))
    ):
        return [ex.Constant(node.span, float(digit), digit) for digit in node.text]
    return [resolve(scope, node)]


# --- Products and applications ---


def has_axes(scope: Scope, base: Expression | None, number: int) -> bool:
    """Tell whether a base has an axis for every digit of `12`; what has no name does."""
    if not isinstance(base, ex.Reference):
        return base is not None
    return len(shape_of(scope.quantities.value(base.name, {}))) >= number


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
        plain = (
            isinstance(following, (sx.Symbol, sx.Number, sx.Scripted))
            and not node.operators[number + 1]
        )
        if plain and node.operators[number] == "/":
            raise EquationError(r"a / b c is ambiguous: write \frac", node.span)
        factor = node.factors[number]
        bare = isinstance(factor, sx.Function) and not is_argument(factor.argument)
        if plain and bare and not isinstance(following, sx.Scripted | sx.Number):
            raise EquationError(
                "how far does this function reach? put parentheses around its argument",
                factor.span,
            )


def resolve_factor(scope: Scope, node: sx.Term, at: int) -> tuple[Expression, int]:
    """Resolve the factor at a position; return it and how many factors it takes up."""
    factor = node.factors[at]
    following = (
        node.factors[at + 1]
        if at + 1 < len(node.factors) and not node.operators[at + 1]
        else None
    )
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
    group, scripts = (
        (argument.base, argument) if isinstance(argument, sx.Scripted) else (argument, None)
    )
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
        return ca.Expectation(span, "E", resolve_argument(scope, group))
    if not isinstance(function, sx.Symbol) or find(scope, function):
        return None
    name = function.names[0]
    if name in ("E", "Var", "var"):
        return ca.Expectation(
            span, "E" if name == "E" else "Var", resolve_argument(scope, group)
        )
    if name == "O":
        return ca.Remainder(span, resolve_argument(scope, group))
    if name in ex.ELEMENTWISE or name in ex.OF_ARRAYS:
        return ex.Elementary(span, name, resolve_argument(scope, group))
    return None


def apply_bound(scope: Scope, function: sx.Node, group: sx.Group) -> Expression | None:
    """Resolve a bound function; a quantity that also stands alone is a factor instead."""
    head = find(scope, function)
    if head is None or not scope.quantities.is_function(head.name) or group.bracket == "{":
        return None
    if (
        scope.quantities.is_quantity(head.name)
        and head.name in scope.standing_alone
        and not head.primes
    ):
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


# --- Groups, fractions, functions ---


@rule(sx.Group)
def resolve_group(scope: Scope, node: sx.Group) -> Expression:
    if len(node.items) == 1 and isinstance(node.items[0], sx.Relation):
        if node.bracket == "[":
            return ex.Iverson(node.span, resolve_condition(scope, node.items))
        raise EquationError("a condition stands in square brackets, [z > 0]", node.span)
    if len(node.items) != 1:
        raise EquationError(
            "a list of arguments without a function before it: is the function bound?",
            node.span,
        )
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
    return ex.Condition(
        node.span, tuple(resolve(scope, side) for side in node.sides), node.signs
    )


@rule(sx.Fraction)
def resolve_fraction(scope: Scope, node: sx.Fraction) -> Expression:
    parts = operator_parts(scope, node)
    if parts:
        if parts[0] is None:
            raise EquationError(
                "a derivative of what? write \\frac{\\partial f}{\\partial x}", node.span
            )
        return differentiate(scope, node, resolve(scope, parts[0]), parts[1])
    return ex.Quotient(
        node.span, resolve(scope, node.numerator), resolve(scope, node.denominator)
    )


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
        result: Expression = ex.Extreme(
            node.span, node.name, tuple(resolve(scope, item) for item in items)
        )
    else:
        result = ex.Elementary(node.span, node.name, resolve(scope, argument))
    for scripts in (node.scripts, after):
        if isinstance(scripts, sx.Scripted):
            result = with_scripts(
                scope, result, scripts.subs, scripts.sups, scripts.primes, scripts
            )
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
        raise EquationError(
            "the norms are \\|x\\|, \\|x\\|_1, \\|x\\|_2 and \\|A\\|_F", node.span
        )
    return ex.Norm(node.span, body, order)


@rule(sx.Cases)
def resolve_cases(scope: Scope, node: sx.Cases) -> Expression:
    rows = tuple(
        (
            resolve(scope, row.value),
            tuple(resolve_condition(scope, (item,)) for item in row.conditions),
        )
        for row in node.rows
    )
    return ex.Piecewise(node.span, rows)


@rule(sx.Matrix)
def resolve_matrix(scope: Scope, node: sx.Matrix) -> Expression:
    return ex.Written(
        node.span, tuple(tuple(resolve(scope, cell) for cell in row) for row in node.rows)
    )


@rule(sx.Special)
def resolve_special(scope: Scope, node: sx.Special) -> Expression:
    return resolve_sign(scope, sx.Scripted(node.span, node, (), (), 0), node)


def resolve_sign(scope: Scope, node: sx.Scripted, sign: sx.Special) -> Expression:
    """Resolve `\\mathbf{1}_m` and `\\mathbb{1}_{z > 0}`; the other signs need company."""
    if sign.kind == "ONES" and len(node.subs) == 1:
        inner = one(node.subs[0])
        if isinstance(inner, sx.Relation):
            return ex.Iverson(node.span, resolve_relation(scope, inner))
        return with_scripts(
            scope, ex.AllOnes(node.span, resolve(scope, inner)), (), node.sups, 0, node
        )
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
    head = (
        find(scope, point.sides[0])
        if isinstance(point, sx.Relation) and point.signs == ("=",)
        else None
    )
    if head is None or head.subs or head.sups or not isinstance(point, sx.Relation):
        raise EquationError("the point is written as x = 0, with a bound symbol", point.span)
    return ca.AtPoint(
        node.span, resolve(scope, node.body), head.name, resolve(scope, point.sides[1])
    )


# --- Indices that run ---


@dataclass
class Range:
    """What stands under a sum: its indices, and what limits them."""

    names: list[str] = field(default_factory=list)
    lower: Expression | None = None
    members: Expression | None = None
    conditions: list[sx.Node] = field(default_factory=list)


def read_range(scope: Scope, sub: sx.Node) -> Range:
    """Read `i`, `i,j`, `i=1`, `i \\in B`, `j \\ne i` or `i : y_i = k`."""
    found = Range()
    for item in sub.items if isinstance(sub, sx.Inside) else (sub,):
        if not isinstance(item, sx.Relation):
            found.names += running_letters(scope, item)
            continue
        first = not found.names
        found.names += running_letters(scope, item.sides[0]) if first else []
        if item.signs == ("=",) and first:
            found.lower = resolve(scope, item.sides[1])
        elif item.signs == ("\\in",) and first:
            found.members = resolve(scope, item.sides[1])
        else:
            found.conditions.append(item)
    if isinstance(sub, sx.Inside) and sub.condition is not None:
        found.conditions.append(sub.condition)
    return found


@rule(sx.Reduction)
def resolve_reduction(scope: Scope, node: sx.Reduction) -> Expression:
    """Resolve a sum, product, maximum or arg max over an index."""
    if not node.subs:
        raise EquationError(f"\\{node.name} needs its index: \\{node.name}_i", node.span)
    found = read_range(scope, node.subs[0])
    if len(found.conditions) > 1:
        raise EquationError("at most one condition can stand behind the index", node.span)
    if (found.lower is None) != (not node.sups):
        raise EquationError(
            "a lower bound needs an upper one, and the other way round: \\sum_{i=1}^{m}",
            node.span,
        )
    upper = resolve(scope, one(node.sups[0])) if node.sups else None
    condition = resolve_condition(scope, (found.conditions[0],)) if found.conditions else None
    body = resolve(scope, node.body)
    names = tuple(found.names)
    return ca.Reduce(
        node.span, node.name, names, found.lower, upper, found.members, condition, body
    )


def running_letters(scope: Scope, node: sx.Node) -> list[str]:
    """Name the indices a sum runs over."""
    parts = node.factors if isinstance(node, sx.Term) and not any(node.operators) else (node,)
    names = [
        name
        for part in parts
        if isinstance(part, sx.Symbol)
        for name in split_letters(scope, part)
    ]
    if not names or any(not isinstance(part, sx.Symbol) for part in parts):
        raise EquationError("an index is a single letter", node.span)
    for name in names:
        if is_bound(scope, name):
            raise EquationError(
                f"{name} is bound, so it cannot run: take another letter for the index",
                node.span,
            )
    return names


# --- Derivatives ---


def differentiate(
    scope: Scope, node: sx.Node, body: Expression, parts: list[tuple[sx.Node, int]]
) -> Expression:
    """Differentiate with respect to each symbol in turn, the last one first."""
    for symbol, power in reversed(parts):
        head = find(scope, symbol)
        if head is None:
            raise EquationError(
                "this symbol is not bound: the derivative needs its value", symbol.span
            )
        scope.quantities.use(head.name, head.latex, symbol.span)
        reference = ex.Reference(symbol.span, head.name, head.latex)
        target = resolve_element(scope, head, reference, symbol)
        for _ in range(power):
            body = ca.Derivative(node.span, body, reference, target)
    return body


def resolve_element(
    scope: Scope, head: Head, reference: ex.Reference, node: sx.Node
) -> Expression:
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
    operators = ("", *node.operators[at + 2 :])
    body = rest[0] if len(rest) == 1 else sx.Term(span, operators, rest)
    return differentiate(scope, fraction, resolve(scope, body), parts[1])


def resolve_gradient(scope: Scope, node: sx.Term, at: int) -> tuple[Expression, int]:
    """Resolve `\\nabla_\\theta J` and `\\nabla J(\\theta)`."""
    sign = node.factors[at]
    subs = sign.subs if isinstance(sign, sx.Scripted) else ()
    rest = node.factors[at + 1 : at + 3]
    if not rest:
        raise EquationError("a gradient of what? write \\nabla_\\theta J", sign.span)
    if isinstance(sign, sx.Scripted) and (sign.sups or len(subs) > 1):
        raise EquationError("put parentheses around a gradient, (\\nabla_\\theta J)", sign.span)
    applied = (
        resolve_applied(scope, rest[0], rest[1])
        if len(rest) == 2 and is_argument(rest[1])
        else None
    )
    taken = 3 if applied else 2
    if subs:
        return differentiate(
            scope, sign, applied or resolve(scope, rest[0]), [(one(subs[0]), 1)]
        ), taken
    if isinstance(applied, ex.Application) and len(applied.arguments) == 1:
        return ca.Gradient(applied.span, applied.name, applied.arguments[0]), taken
    raise EquationError(
        "a gradient by what? write \\nabla_\\theta J or \\nabla J(\\theta)", sign.span
    )


# --- shapes of the writing ---


def flat(sup: sx.Node) -> list[sx.Node]:
    """Take a superscript apart: `[l](i)\\top` holds three."""
    if isinstance(sup, sx.Inside):
        parts = [part for item in sup.items for part in flat(item)]
        return parts + ([sx.Mark(sup.span, "top")] if sup.transposed else [])
    if isinstance(sup, sx.Term) and all(isinstance(factor, sx.Group) for factor in sup.factors):
        return list(sup.factors)
    return [sup]


def shape_lengths(below: tuple[sx.Node, ...]) -> tuple[sx.Node, ...] | None:
    """Read `m \\times n`, `(m, n)` or `(m,)` as a shape."""
    first = below[0]
    if len(below) == 1 and isinstance(first, sx.Group) and first.bracket == "(":
        inner = shape_lengths(first.items) if len(first.items) == 1 else None
        return inner or first.items
    if (
        len(below) == 1
        and isinstance(first, sx.Term)
        and set(first.operators[1:]) == {"\\times"}
    ):
        return first.factors
    return below if len(below) > 1 else None
