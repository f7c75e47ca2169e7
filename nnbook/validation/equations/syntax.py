"""From LaTeX to a tree: which signs belong together, and where each one stands.

The tree keeps the shape of the writing. Every node remembers its place in the LaTeX, so that
an error can point at it and a mutation can replace it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from nnbook.validation.equations.grammar import EquationError, Span, latex_parser

__all__ = ["Node", "parse_display", "parse_symbol", "walk"]


@dataclass(frozen=True)
class Node:
    """A part of a display; `span` is its place in the LaTeX."""

    span: Span


@dataclass(frozen=True)
class Number(Node):
    text: str


@dataclass(frozen=True)
class Symbol(Node):
    """A letter, Greek letter or word; `names` are the Python names it may be bound under."""

    latex: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Mark(Node):
    """A sign in a superscript that is no number: `top` or `star`."""

    kind: str


@dataclass(frozen=True)
class Label(Node):
    """A word in a script, as in `w_{\\max}`."""

    text: str


@dataclass(frozen=True)
class ElementwisePower(Node):
    exponent: Number


@dataclass(frozen=True)
class Inside(Node):
    """What stands between the braces of a script."""

    items: tuple[Node, ...]
    condition: Node | None
    transposed: bool


@dataclass(frozen=True)
class Scripted(Node):
    """A base with subscripts, superscripts and primes."""

    base: Node
    subs: tuple[Node, ...]
    sups: tuple[Node, ...]
    primes: int


@dataclass(frozen=True)
class Group(Node):
    bracket: str
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Relation(Node):
    """Sides joined by relation signs: `a = b \\le c`."""

    sides: tuple[Node, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True)
class Sum(Node):
    signs: tuple[str, ...]
    terms: tuple[Node, ...]


@dataclass(frozen=True)
class Term(Node):
    """Factors in a row; `operators[i]` stands before `factors[i]`, empty for juxtaposition."""

    operators: tuple[str, ...]
    factors: tuple[Node, ...]


@dataclass(frozen=True)
class Fraction(Node):
    numerator: Node
    denominator: Node


@dataclass(frozen=True)
class Root(Node):
    degree: Node | None
    body: Node


@dataclass(frozen=True)
class Function(Node):
    """`\\log`, `\\exp`, … and `\\max`, `\\min` of arguments."""

    name: str
    scripts: Scripted | None
    argument: Node


@dataclass(frozen=True)
class Reduction(Node):
    """`\\sum`, `\\prod`, `\\max`, `\\min` or `\\arg\\max` over an index."""

    name: str
    subs: tuple[Node, ...]
    sups: tuple[Node, ...]
    body: Node


@dataclass(frozen=True)
class Bars(Node):
    kind: str
    body: Node


@dataclass(frozen=True)
class Case(Node):
    value: Node
    conditions: tuple[Node, ...]


@dataclass(frozen=True)
class Cases(Node):
    rows: tuple[Case, ...]


@dataclass(frozen=True)
class Matrix(Node):
    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True)
class Special(Node):
    """`\\partial`, `\\nabla`, `\\mathbb{1}`, `\\mathbb{E}` or `\\mathbb{R}`."""

    kind: str


@dataclass(frozen=True)
class Annotated(Node):
    """A term with its shape, or another name for it, written underneath."""

    body: Node
    below: tuple[Node, ...]


@dataclass(frozen=True)
class At(Node):
    """The value at a point: `\\left. … \\right|_{x = 0}`."""

    body: Node
    point: Node


def walk(node: Any) -> Iterator[Node]:
    """Yield a node and everything below it."""
    if isinstance(node, tuple):
        for item in node:
            yield from walk(item)
    elif isinstance(node, Node):
        yield node
        for field in fields(node):
            if field.name != "span":
                yield from walk(getattr(node, field.name))


def same_writing(a: Any, b: Any) -> bool:
    """Tell whether two parts are written alike, wherever they stand."""
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(same_writing(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, Node) and type(a) is type(b):
        names = (part.name for part in fields(a) if part.name != "span")
        return all(same_writing(getattr(a, name), getattr(b, name)) for name in names)
    return bool(a == b)


# --- from the parser's tree ---


def parse_display(latex: str) -> tuple[Relation, ...]:
    """Parse a display into its equations.

    Raises
    ------
    EquationError
        With the place, when the LaTeX is outside the accepted notation.
    """
    balance_brackets(latex)
    nodes = [build(tree) for tree in _trees(_parse(latex, "display"))]
    return tuple(
        node if isinstance(node, Relation) else Relation(node.span, (node,), ())
        for node in nodes
    )


def parse_symbol(latex: str) -> Node:
    """Parse a single symbol with its scripts, as in `\\hat{m}_{t-1}`."""
    node: Node = build(_parse(latex, "factor"))
    return node


def balance_brackets(latex: str) -> None:
    """Refuse a `\\left` without its `\\right`: it would evaluate, but not render."""
    depth = 0
    for match in re.finditer(r"\\(left|right)(?![A-Za-z])", latex):
        depth += 1 if match[1] == "left" else -1
        if depth < 0:
            raise EquationError(r"this \right has no \left", match.span())
    if depth:
        raise EquationError(r"a \left has no \right")


def _parse(latex: str, start: str) -> Any:
    from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

    try:
        return latex_parser(start).parse(latex)
    except UnexpectedCharacters as error:
        position = error.pos_in_stream or 0
        sign = re.match(r"\\[A-Za-z]+|.", latex[position:], re.S)
        width = len(sign[0]) if sign else 1
        raise EquationError(
            _unknown_sign(latex, position), (position, position + width)
        ) from None
    except UnexpectedToken as error:
        raise EquationError(_misplaced(error, latex), _place(error.token, latex)) from None
    except UnexpectedInput:
        raise EquationError("this cannot be read") from None


_INSTEAD = {
    "\\dots": r"write the sum with \sum",
    "\\ldots": r"write the sum with \sum",
    "\\cdots": r"write the sum with \sum",
    "\\sim": "a distribution is no equation: put the display on the list of exceptions",
    "\\propto": r"write the equation with its constant",
    "\\to": "a limit cannot be evaluated: put the display on the list of exceptions",
    "\\pm": "write two equations",
    "\\tag": "the number comes from the label",
    "\\label": "put the label behind the closing dollars: $$ (eq-name)",
    "\\circ": r"write f(g(x)), or \odot for the element-wise product",
    "\\ast": r"write \cdot or \odot",
    "\\operatorname": r"write \operatorname{name} with letters only",
}


def _unknown_sign(latex: str, position: int) -> str:
    match = re.match(r"\\[A-Za-z]+|\\?.", latex[position:], re.S)
    sign = match[0] if match else ""
    instead = _INSTEAD.get(sign)
    return f"{sign} is not in the accepted notation" + (f": {instead}" if instead else "")


def _misplaced(error: Any, latex: str) -> str:
    token = error.token
    if token.type == "$END":
        return "the display ends too early"
    before = latex[: token.start_pos].rstrip()
    if re.search(r"\\[td]?frac(\{.*\})?$", before) or re.search(r"\\[td]?frac\s*\w$", before):
        return r"put braces around both arguments of \frac: \frac{a}{b}"
    if token.type == "TOP":
        return r"\top is a superscript: A^\top"
    if token.type == "TEXT":
        return r"\text belongs between equations and in cases"
    return f"{token} cannot stand here"


def _place(token: Any, latex: str) -> Span:
    if token.type == "$END" or token.start_pos is None:
        return (len(latex), len(latex))
    return (token.start_pos, token.end_pos)


def _is_tree(item: Any) -> bool:
    return hasattr(item, "data")


def _span(tree: Any) -> Span:
    if not _is_tree(tree):
        return (tree.start_pos, tree.end_pos)
    return (tree.meta.start_pos, tree.meta.end_pos)


Builder = Callable[[Any, Span], Any]
_BUILDERS: dict[str, Builder] = {}


def builds(*rules: str) -> Callable[[Builder], Builder]:
    """Register the function that builds the nodes of some rules of the grammar."""

    def register(function: Builder) -> Builder:
        _BUILDERS.update(dict.fromkeys(rules, function))
        return function

    return register


def build(tree: Any) -> Any:
    """Turn one node of the parser's tree into ours."""
    return _BUILDERS[str(tree.data)](tree, _span(tree))


def _trees(tree: Any) -> list[Any]:
    return [child for child in tree.children if _is_tree(child)]


@builds("relation")
def _relation(tree: Any, span: Span) -> Node:
    sides = tuple(build(child) for child in _trees(tree))
    signs = tuple(str(child) for child in tree.children if not _is_tree(child))
    return sides[0] if len(sides) == 1 else Relation(span, sides, signs)


@builds("sum")
def _sum(tree: Any, span: Span) -> Node:
    signs, terms = [], []
    sign = "+"
    for child in tree.children:
        if _is_tree(child):
            terms.append(build(child))
            signs.append(sign)
        else:
            sign = str(child)
    return terms[0] if signs == ["+"] else Sum(span, tuple(signs), tuple(terms))


@builds("term")
def _term(tree: Any, span: Span) -> Node:
    operators, factors = [], []
    operator = ""
    for child in tree.children:
        if _is_tree(child):
            factors.append(build(child))
            operators.append(operator)
            operator = ""
        else:
            operator = str(child)
    return factors[0] if len(factors) == 1 else Term(span, tuple(operators), tuple(factors))


@builds("factor")
def _factor(tree: Any, span: Span) -> Node:
    base = build(tree.children[0])
    return _scripted(base, tree.children[1:], span)


def _scripted(base: Node, scripts: list[Any], span: Span) -> Node:
    if not scripts:
        return base
    subs: list[Node] = []
    sups: list[Node] = []
    primes = 0
    for script in scripts:
        if script.data == "primes":
            primes += len(script.children[0])
            continue
        argument = build(script.children[0])
        if isinstance(argument, Number) and len(argument.text) > 1 and not _braced(script):
            raise EquationError("put braces around a script of two digits", argument.span)
        (subs if script.data == "subscript" else sups).append(argument)
    return Scripted(span, base, tuple(subs), tuple(sups), primes)


def _braced(script: Any) -> bool:
    return bool(script.children[0].data != "number")


@builds("inside")
def _inside(tree: Any, span: Span) -> Node:
    children = list(tree.children)
    if not children:
        raise EquationError("an empty script", span)
    tokens = [child for child in children if not _is_tree(child)]
    trees = [build(child) for child in children if _is_tree(child)]
    if tokens and tokens[0].type == "STAR":
        return Mark(span, "star")
    if tokens and tokens[0].type == "OPERATOR":
        if tokens[0] != "\\odot" or not isinstance(trees[0], Number):
            raise EquationError(
                r"an operator in a superscript: only A^{\odot 2} is known", span
            )
        return ElementwisePower(span, trees[0])
    transposed = bool(tokens) and tokens[0].type == "TOP"
    if transposed and not trees:
        return Mark(span, "top")
    return Inside(span, tuple(trees), None, transposed)


@builds("condition")
def _condition_inside(tree: Any, span: Span) -> Node:
    *items, condition = [build(child) for child in tree.children]
    return Inside(span, tuple(items), condition, False)


@builds("label")
def _label(tree: Any, span: Span) -> Node:
    text = re.sub(r"\\(text(rm|it|bf)?)?|[{}]", "", str(tree.children[0])).strip()
    return Label(span, text)


@builds("mark")
def _mark(tree: Any, span: Span) -> Node:
    return Mark(span, "top" if tree.children[0].type == "TOP" else "star")


@builds("function")
def _function(tree: Any, span: Span) -> Node:
    name, *scripts, argument = tree.children
    powers = _scripted(Label(span, str(name)), scripts, span)
    return Function(
        span, str(name)[1:], powers if isinstance(powers, Scripted) else None, build(argument)
    )


@builds("extremum", "reduction")
def _reduction(tree: Any, span: Span) -> Node:
    name, *scripts, body = tree.children
    signs = _scripted(Label(span, ""), scripts, span)
    subs, sups = (signs.subs, signs.sups) if isinstance(signs, Scripted) else ((), ())
    word = re.sub(r"[^a-z]|operatorname", "", str(name))
    return Reduction(span, word, subs, sups, build(body))


@builds("pick")
def _pick(tree: Any, span: Span) -> Node:
    return Function(span, str(tree.children[0])[1:], None, build(tree.children[1]))


@builds("number")
def _number(tree: Any, span: Span) -> Node:
    return Number(span, re.sub(r"\\,|\{,\}", "", str(tree.children[0])))


_GREEK_NAMES = {
    "epsilon": ("eps", "epsilon"),
    "varepsilon": ("eps", "epsilon", "varepsilon"),
    "lambda": ("lambda_", "lam"),
}
_ACCENT_NAMES = {"widehat": "hat", "overline": "bar", "widetilde": "tilde"}


@builds("letter")
def _letter(tree: Any, span: Span) -> Node:
    latex = re.sub(r"\s", "", str(tree.children[0]))
    prefix, letter = re.fullmatch(r"(d(?=.)|\\Delta(?=.))?(.*)", latex).groups()  # type: ignore[union-attr]
    letter = letter.lstrip("\\")
    names = _GREEK_NAMES.get(letter, (letter,))
    if prefix == "d":
        names = tuple("d" + name for name in names)
    elif prefix:
        names = tuple(f"Delta{joint}{name}" for name in names for joint in ("_", ""))
    return Symbol(span, latex, names)


@builds("word")
def _word(tree: Any, span: Span) -> Node:
    text = re.sub(r"^\\[a-z]+\*?\s*\{|\}$", "", str(tree.children[0]))
    name = re.sub(r"[^A-Za-z0-9]+", "_", text)
    names = (name,) if name.islower() else (name, name.lower())
    return Symbol(span, text, names)


@builds("accented")
def _accented(tree: Any, span: Span) -> Node:
    sign, inner = tree.children
    symbol = build(inner)
    if sign.type == "FONT":
        return Symbol(span, f"{sign}{{{symbol.latex}}}", symbol.names)
    accent = _ACCENT_NAMES.get(sign[1:], sign[1:])
    names = tuple(f"{name}_{accent}" for name in symbol.names)
    return Symbol(span, f"\\{accent}{{{symbol.latex}}}", names)


@builds("group")
def _group(tree: Any, span: Span) -> Node:
    opening, *items, closing = tree.children
    kinds = {"(": ")", "[": "]", "\\{": "\\}", "\\lbrace": "\\rbrace", "\\lbrack": "\\rbrack"}
    if kinds.get(str(opening)) != str(closing):
        raise EquationError(
            f"{opening} is closed by {closing}", (closing.start_pos, closing.end_pos)
        )
    return Group(
        span,
        str(opening)[-1] if len(opening) < 3 else "{",
        tuple(build(item) for item in items),
    )


@builds("rounding")
def _rounding(tree: Any, span: Span) -> Node:
    opening, body, closing = tree.children
    if opening[2:] != closing[2:]:
        raise EquationError(f"{opening} is closed by {closing}", span)
    return Bars(span, opening[2:], build(body))


@builds("root")
def _root(tree: Any, span: Span) -> Node:
    *degree, body = [build(child) for child in _trees(tree)]
    return Root(span, degree[0] if degree else None, body)


@builds("case")
def _case(tree: Any, span: Span) -> Node:
    value, *conditions = [build(child) for child in _trees(tree)]
    return Case(span, value, tuple(conditions))


@builds("matrix")
def _matrix(tree: Any, span: Span) -> Node:
    rows = tuple(tuple(build(cell) for cell in row.children) for row in tree.children)
    if len({len(row) for row in rows}) > 1:
        raise EquationError("the rows of this matrix differ in length", span)
    return Matrix(span, rows)


@builds("special")
def _special(tree: Any, span: Span) -> Node:
    return Special(span, str(tree.children[0].type))


@builds("annotated")
def _annotated(tree: Any, span: Span) -> Node:
    body, below = [build(child) for child in tree.children]
    return Annotated(span, body, below.items if isinstance(below, Inside) else (below,))


@builds("underset")
def _underset(tree: Any, span: Span) -> Node:
    below, body = [build(child) for child in tree.children]
    return Annotated(span, body, below.items if isinstance(below, Inside) else (below,))


@builds("braces")
def _braces(tree: Any, span: Span) -> Any:
    return build(tree.children[0])


@builds("fraction")
def _fraction(tree: Any, span: Span) -> Node:
    return Fraction(span, build(tree.children[0]), build(tree.children[1]))


@builds("absolute", "norm")
def _bars(tree: Any, span: Span) -> Node:
    return Bars(span, str(tree.data), build(tree.children[0]))


@builds("cases")
def _cases(tree: Any, span: Span) -> Node:
    return Cases(span, tuple(build(child) for child in tree.children))


@builds("otherwise")
def _otherwise(tree: Any, span: Span) -> Node:
    return Case(span, build(tree.children[0]), ())


@builds("at")
def _at(tree: Any, span: Span) -> Node:
    return At(span, build(tree.children[0]), build(tree.children[1]))
