"""The notation that equations are written in, and what is said when one breaks its rules."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

Span = tuple[int, int]


class EquationError(AssertionError):
    """An equation that does not hold, or a display that cannot be executed.

    Parameters
    ----------
    message : str
        What is wrong and what to write instead.
    span : tuple of int, optional
        Where in the LaTeX it is: first position and the one after the last.
    """

    def __init__(self, message: str, span: Span | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.span = span

    def __str__(self) -> str:
        return self.message


def caret(latex: str, span: Span | None) -> str:
    """Show the LaTeX, with carets under the part that `span` names."""
    if span is None:
        return _indented(latex)
    shown = []
    position = 0
    for line in latex.split("\n"):
        shown.append("    " + line)
        first = max(span[0] - position, 0)
        last = min(span[1] - position, len(line))
        if first < max(last, first + (span[0] == span[1])) and first <= len(line) and last >= 0:
            shown.append("    " + " " * first + "^" * max(last - first, 1))
        position += len(line) + 1
    return "\n".join(shown)


def _indented(latex: str) -> str:
    return "\n".join("    " + line for line in latex.split("\n"))


GRAMMAR = r"""
//! A display holds one or more equations
//= a = b, \qquad c = d
display: relation (SEP relation)* SEP?

//! Equations, chains of equations, inequalities, updates
//= a = b + c < d
relation: sum (REL sum)*

//! Sums
//= -a + b - c
sum: SIGN? term (SIGN term)*

//! Products: juxtaposition, element-wise, scaling
//= A B, \quad A \odot B, \quad \frac{1}{m} A
term: item (OPERATOR? item)*
?item: factor | function | reduction | extremum | pick

//! Subscripts, superscripts and primes
//= x_{ij}, \quad x^2, \quad A^\top, \quad W^{[l]}, \quad g'(z)
factor: atom script*
script: _SUB argument -> subscript
      | _SUP argument -> superscript
      | PRIME         -> primes
?argument: number | name | mark | _LBRACE inside _RBRACE
mark: TOP | STAR
inside: relation (_COMMA relation)*
      | relation (_COMMA relation)* _COLON relation  -> condition
      | relation? TOP
      | STAR
      | OPERATOR number
      | (FUNCTION | EXTREMUM | TEXT)    -> label

//! Functions of one argument
//= \log x, \quad \exp(-z), \quad \tanh^2(z)
function: FUNCTION script* item

//! Sums and products over an index
//= \sum_{i=1}^{m} x_i, \quad \sum_{j \ne i} x_j, \quad \prod_k p_k
reduction: REDUCTION script* term

//! Largest and smallest
//= \max(0, z), \quad \max_k z_k, \quad \operatorname*{arg\,max}_k z_k
extremum: (EXTREMUM | PICK) script+ term
pick: EXTREMUM item

?atom: number | name | group | braces | fraction | root | absolute | norm | rounding | cases
     | matrix | special | annotated | at

//! Numbers
//= 3, \quad 0.5, \quad 60\,000
number: NUMBER

//! Symbols: letters, Greek letters, words, accents and fonts
//= W, \quad dZ, \quad \beta_1, \quad n_{\mathrm{in}}, \quad \hat{y}, \quad \mathbf{x}
name: LETTER                               -> letter
    | WORD                                 -> word
    | (ACCENT | FONT) name                 -> accented
    | (ACCENT | FONT) _LBRACE name _RBRACE -> accented

//! Brackets; round ones also hold arguments, square ones a condition
//= (a + b), \quad f(x, y), \quad [z > 0]
group: OPEN relation (_COMMA relation)* CLOSE
braces: _LBRACE relation _RBRACE

//! Fractions, with braces around both arguments; derivatives
//= \frac{a}{b}, \quad \frac{\partial J}{\partial W}
fraction: _FRAC _LBRACE sum _RBRACE _LBRACE sum _RBRACE

//! Roots
//= \sqrt{x}, \quad \sqrt[3]{x}
root: _SQRT _LBRACE sum _RBRACE
    | _SQRT OPEN sum CLOSE _LBRACE sum _RBRACE

//! Absolute values, norms, rounding
//= |x|, \quad \|x\|_2^2, \quad \|A\|_F, \quad \lceil x \rceil, \quad \lfloor x \rfloor
absolute: _LBAR sum _RBAR
norm: _LNORM sum _RNORM
rounding: LROUND sum RROUND

//! Definitions by cases
//= \begin{cases} z & \text{if } z > 0 \\ 0 & \text{otherwise} \end{cases}
cases: _BEGIN_CASES case (_ROW case)* _ROW? _END_CASES
case: sum _CELL TEXT? relation ((_COMMA | TEXT) relation)*
    | sum _CELL TEXT -> otherwise

//! Matrices written out
//= \begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}
matrix: _BEGIN_MATRIX cells (_ROW cells)* _ROW? _END_MATRIX
cells: sum (_CELL sum)*

//! Signs with a fixed meaning
//= \nabla_\theta J, \; \mathbb{1}[z > 0], \; \mathbb{E}[x], \, W \in \mathbb{R}^{m \times n}
special: PARTIAL | NABLA | ONES | EXPECTATION | REALS

//! Shapes and names written under a term: they are checked as well
//= \underset{(m, n)}{X}, \quad \underbrace{X W}_{Z}
annotated: _UNDERBRACE _LBRACE sum _RBRACE _SUB argument
         | _UNDERSET _LBRACE inside _RBRACE _LBRACE sum _RBRACE -> underset

//! The value at a point
//= \left. \frac{\partial f}{\partial x} \right|_{x = 0}
at: _LEVAL sum _REVAL _SUB _LBRACE relation _RBRACE

REL: /=|:=|<|>|\\(?:approx|leq?|geq?|neq?|lt|gt|leftarrow|gets|equiv|coloneqq|in)
    (?![A-Za-z])/x
SIGN: "+" | "-"
OPERATOR: /\/|\\(?:cdot|times|odot|oslash)(?![A-Za-z])/
_SUB: "_"
_SUP: "^"
PRIME: /'+/
TOP: /\\top(?![A-Za-z])|\\mathsf\{T\}|\\intercal(?![A-Za-z])/
STAR: "*" | /\\(?:ast|star)(?![A-Za-z])/
NUMBER: /\d+(?:(?:\\,|\{,\})\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?/
LETTER.1: /(?:d|\\Delta\s*)?(?:[A-Za-z]|\\(?:alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta
    |theta|vartheta|iota|kappa|lambda|mu|nu|xi|pi|rho|varrho|sigma|tau|upsilon|phi|varphi|chi
    |psi|omega|ell|Gamma|Theta|Lambda|Xi|Pi|Sigma|Upsilon|Phi|Psi|Omega)(?![A-Za-z]))
    |\\Delta(?![A-Za-z])/x
WORD: /\\(?:mathrm|operatorname\*?|mathsf|mathtt)\s*\{[A-Za-z][A-Za-z0-9 _-]*\}/
TEXT: /\\text(?:rm|it|bf)?\s*\{[^{}]*\}/
ACCENT: /\\(?:hat|widehat|bar|overline|tilde|widetilde|dot|check)(?![A-Za-z])/
FONT: /\\(?:mathbf|boldsymbol|bm|mathcal|mathit|vec)(?![A-Za-z])/
FUNCTION: /\\(?:log|ln|exp|tanh|sinh|cosh|sin|cos|tan|arctan|det)(?![A-Za-z])/
REDUCTION: /\\(?:sum|prod)(?![A-Za-z])/
EXTREMUM: /\\(?:max|min)(?![A-Za-z])/
PICK.2: /\\arg\s*\\?,?\s*\\(?:max|min)(?![A-Za-z])
    |\\operatorname\*?\{arg\s*(?:\\,)?\s*(?:max|min)\}/x
OPEN: "(" | "[" | /\\[{]/ | /\\l(?:brace|brack)(?![A-Za-z])/
CLOSE: ")" | "]" | /\\[}]/ | /\\r(?:brace|brack)(?![A-Za-z])/
LROUND: /\\l(?:ceil|floor)(?![A-Za-z])/
RROUND: /\\r(?:ceil|floor)(?![A-Za-z])/
_LBRACE: "{"
_RBRACE: "}"
_FRAC: /\\[td]?frac(?![A-Za-z])/
_SQRT: /\\sqrt(?![A-Za-z])/
_BEGIN_CASES: /\\begin\{cases\}/
_END_CASES: /\\end\{cases\}/
_BEGIN_MATRIX: /\\begin\{[bp]?matrix\}/
_END_MATRIX: /\\end\{[bp]?matrix\}/
PARTIAL: /\\partial(?![A-Za-z])/
NABLA: /\\nabla(?![A-Za-z])/
ONES.3: /\\math(?:bf|bb|1)\s*(?:\{1\}|1)/
EXPECTATION.3: /\\mathbb\s*(?:\{E\}|E)/
REALS.3: /\\mathbb\s*(?:\{R\}|R)/
_UNDERBRACE: /\\underbrace(?![A-Za-z])/
_UNDERSET: /\\underset(?![A-Za-z])/
_COMMA: ","
_COLON: ":"

// Layout: read here, and turned into the terminals declared below by LatexLayout.
BAR.2: /\\[lr]vert(?![A-Za-z])|(?:\\(?:left|right)\s*)?\|/
NORM.2: /\\[lr]Vert(?![A-Za-z])|(?:\\(?:left|right)\s*)?\\\|/
LEFTDOT.2: /\\left\s*\./
END: /[.;]/
QUAD: /\\q?quad(?![A-Za-z])/
ARROW: /\\(?:implies|iff|Rightarrow|Longrightarrow|Leftrightarrow)(?![A-Za-z])/
NEWLINE: /\\\\(?:\[[^\]]*\])?/
AMP: "&"
ALIGNED: /\\(?:begin|end)\{(?:aligned|split|gathered)\}/
SPACE: /\s+|~|\\[,;:!\ ]|%[^\n]*
    |\\(?:left|right|[bB]igg?[lrm]?|displaystyle|limits|nonumber|notag)(?![A-Za-z])/x
%ignore SPACE
%declare SEP _LBAR _RBAR _LNORM _RNORM _LEVAL _REVAL _ROW _CELL
"""

_OPENING = {
    "OPEN",
    "_LBRACE",
    "_BEGIN_CASES",
    "_BEGIN_MATRIX",
    "_LBAR",
    "_LNORM",
    "_LEVAL",
    "LROUND",
}
_CLOSING = {
    "CLOSE",
    "_RBRACE",
    "_END_CASES",
    "_END_MATRIX",
    "_RBAR",
    "_RNORM",
    "_REVAL",
    "RROUND",
}
_PAUSES = {"_COMMA", "END", "QUAD", "ARROW", "TEXT", "NEWLINE", "AMP", "ALIGNED"}
_TABLES = {"_BEGIN_CASES", "_BEGIN_MATRIX"}
_ENDS_OPERAND = {"NUMBER", "LETTER", "WORD", "TOP", "STAR", "PRIME", "ONES"} | _CLOSING


class LatexLayout:
    """Turn LaTeX's layout signs into the grammar's: `&`, `\\\\`, `\\qquad`, commas and bars.

    What separates two equations depends on where it stands: a comma inside brackets separates
    arguments, between equations it ends one. A vertical bar opens or closes. Both need more
    context than a grammar with one token of look-ahead has: a pass over the tokens settles
    them.
    """

    always_accept = (
        "BAR",
        "NORM",
        "LEFTDOT",
        "END",
        "QUAD",
        "ARROW",
        "NEWLINE",
        "AMP",
        "ALIGNED",
    )

    def process(self, stream: Iterator[Any]) -> Iterator[Any]:
        """Yield the tokens with their layout resolved."""
        return iter(separate(match_bars(list(stream))))


def match_bars(tokens: list[Any]) -> list[Any]:
    """Decide for every vertical bar whether it opens or closes."""
    open_signs: list[str] = []
    result: list[Any] = []
    for token in tokens:
        if token.type in ("BAR", "NORM"):
            token = token.update(type=_bar_type(token, open_signs, result))
        elif token.type == "LEFTDOT":
            token = token.update(type="_LEVAL")
        if token.type in _OPENING:
            open_signs.append(token.type)
        elif token.type in _CLOSING and open_signs:
            open_signs.pop()
        result.append(token)
    return result


def _bar_type(token: Any, open_signs: list[str], before: list[Any]) -> str:
    """Name the kind of one bar: it closes what is open when an operand stands before it."""
    kind = "BAR" if token.type == "BAR" else "NORM"
    innermost = open_signs[-1] if open_signs else ""
    operand_before = bool(before) and before[-1].type in _ENDS_OPERAND
    if innermost == "_LEVAL" and token.startswith("\\right"):
        return "_REVAL"
    closes = innermost == "_L" + kind and operand_before
    return ("_R" if closes else "_L") + kind


def separate(tokens: list[Any]) -> list[Any]:
    """Replace every run of pauses by what it means at its place."""
    result: list[Any] = []
    open_signs: list[str] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.type in _OPENING:
            open_signs.append(token.type)
        elif token.type in _CLOSING and open_signs:
            open_signs.pop()
        if token.type not in _PAUSES:
            result.append(token)
            at += 1
            continue
        end = at
        while end < len(tokens) and tokens[end].type in _PAUSES:
            end += 1
        following = tokens[end].type if end < len(tokens) else ""
        result += _pause(
            tokens[at:end], open_signs[-1] if open_signs else "", bool(result), following
        )
        at = end
    return result


def _pause(run: list[Any], inside: str, started: bool, following: str) -> list[Any]:
    """Translate one run of commas, `&`, `\\\\`, `\\qquad` and text."""
    if inside in _TABLES:
        return _table_signs(run, following)
    if inside:
        return [token for token in run if token.type in ("_COMMA", "TEXT")]
    kinds = {token.type for token in run}
    only_lines = not kinds & {"_COMMA", "END", "TEXT", "ARROW"} and "NEWLINE" in kinds
    continues = following == "REL" or (
        following in ("SIGN", "OPERATOR") and "AMP" in kinds and only_lines
    )
    separates = kinds & {"_COMMA", "END", "TEXT", "ARROW", "NEWLINE", "QUAD"}
    if not started or continues or not separates:
        return []
    return [run[0].update(type="SEP")]


def _table_signs(run: list[Any], following: str) -> list[Any]:
    """Keep cells and rows in `cases` and matrices; punctuation before them is decoration."""
    names = {"AMP": "_CELL", "NEWLINE": "_ROW", "TEXT": "TEXT"}
    signs = [token.update(type=names[token.type]) for token in run if token.type in names]
    if signs or following.startswith("_END"):
        return signs
    return [token for token in run if token.type == "_COMMA"]


@cache
def latex_parser(start: str = "display") -> Any:
    """Build the parser; the library behind it is imported here, at the first equation."""
    from lark import Lark

    return Lark(
        GRAMMAR,
        start=start,
        parser="lalr",
        lexer="basic",
        postlex=LatexLayout(),
        propagate_positions=True,
        maybe_placeholders=False,
    )


def notation() -> list[tuple[str, str]]:
    """List what the grammar accepts, rule by rule: a description and an example in LaTeX."""
    titles = re.findall(r"^//! (.*)$", GRAMMAR, re.M)
    examples = re.findall(r"^//= (.*)$", GRAMMAR, re.M)
    return list(zip(titles, examples, strict=True))
