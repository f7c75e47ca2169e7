"""A formula in a docstring is the labelled equation of its chapter.

Docstrings are read in a terminal, so their formulas are written with the letters of the page, and
each is marked with its equation: ``dW = (1/m) Xᵀ dZ`` :eq:`eq-dense-dw`. Here such a formula is
spelled in LaTeX, parsed by the grammar that the displays are parsed by, and compared with the
display. Layout does not count, nor the bounds of a sum, nor on which side of = a thing stands.
"""

import importlib
import inspect
import re
import unicodedata
from functools import cache

import pytest

import equation_ledger as ledger
from nnbook.core import activations
from nnbook.validation.equations import syntax as sx

MODULES = [
    f"nnbook.{name}"
    for name in (
        "core.activations core.initializers core.layer core.losses core.optimizers network.sequential network.model "
        "utils.data_utils utils.metrics utils.visualization validation.gradient_check examples.xor examples.spiral "
        "examples.regression examples.mnist"
    ).split()
]
MARKED = re.compile(r"``(?P<formula>[^`]+)``\s+:eq:`(?P<label>eq-[a-z0-9-]+)`")
DISPLAYS = ledger.displays(ledger.ROOT / "nbs")


# ---- from the letters of a docstring to LaTeX ---------------------------------------------------

LOW = dict(zip("₀₁₂₃₄₅₆₇₈₉ₑᵢⱼₖₗₘₙₚₜ₊₋", "0123456789eijklmnpt+-"))
HIGH = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹ⁱᵏˡᵗ⁺⁻", "0123456789iklt+-"))
LETTERS = {
    "α": r"\alpha ", "β": r"\beta ", "δ": r"\delta ", "ε": r"\varepsilon ", "η": r"\eta ", "θ": r"\theta ",
    "λ": r"\lambda ", "μ": r"\mu ", "π": r"\pi ", "σ": r"\sigma ", "φ": r"\varphi ", "ℓ": r"\ell ", "∂": r"\partial ",
    "∇": r"\nabla ", "⊙": r" \odot ", "·": r" \cdot ", "−": "-", "←": r" \leftarrow ", "≤": r" \le ",
    "≥": r" \ge ", "≈": r" \approx ", "Σ": r"\sum ", "′": "'",
}  # fmt: skip
FUNCTIONS = ("max", "min", "ln", "log", "exp", "tanh", "cos", "sin")
ACCENTS = {"\u0302": "hat", "\u0303": "tilde", "\u0304": "bar"}


def closing(text, start):
    """Find the bracket that closes the one at `start`."""
    depth = 0
    for at in range(start, len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if depth == 0:
            return at
    raise ValueError(f"a bracket is not closed: {text}")


def braced(text, sign, command):
    """Turn what follows a sign, √( … ) or ^( … ), into a braced argument."""
    while f"{sign}(" in text:
        at = text.index(f"{sign}(")
        end = closing(text, at + len(sign))
        text = f"{text[:at]}{command}{{{text[at + len(sign) + 1 : end]}}}{text[end + 1 :]}"
    return text


def word(match):
    """Spell a word: a function, a symbol of several letters, or letters side by side."""
    name = match[0]
    if name in FUNCTIONS:
        return rf"\{name} "
    if re.fullmatch("n_(in|out)", name):
        return rf"n_{{\mathrm{{{name[2:]}}}}}"
    if len(name) == 1 or re.fullmatch("d[A-Zb]|XW", name):
        return name
    return rf"\mathrm{{{name}}}"


def scripts(text, alphabet, sign):
    letters = "".join(map(re.escape, alphabet))
    return re.sub(
        f"[{letters}]+", lambda m: sign + "{" + "".join(alphabet[c] for c in m[0]) + "}", text
    )


def latex_of(formula):
    """Spell a docstring's formula in LaTeX."""
    if " if " in formula:
        left, _, rows = formula.partition(" = ")
        cases = [row.split(" if ") for row in rows.split(", ")]
        inner = r" \\ ".join(
            rf"{latex_of(value)} & \text{{if }} {latex_of(when)}" for value, when in cases
        )
        return rf"{latex_of(left)} = \begin{{cases}} {inner} \end{{cases}}"
    text = unicodedata.normalize("NFD", formula)  # an accent is a character of its own
    text = re.sub(r"∂([^\s/]+)/∂([^\s)]+)", r"\\frac{∂\1}{∂\2}", text)
    text = re.sub(r"(\w)([\u0302-\u0304])", lambda m: f"\x00{ACCENTS[m[2]]}\x01{m[1]}\x02", text)
    text = re.sub(
        r"[A-Za-z]+_(?:in|out)|[A-Za-z]+",
        lambda m: m[0] if m[0] in ("hat", "tilde", "bar", "frac") else word(m),
        text,
    )
    text = re.sub("\x00(\\w+)\x01(.*?)\x02", r"\\\1{\2}", text)
    text = text.replace("ᵀ", r"^\top ")
    text = scripts(scripts(text, LOW, "_"), HIGH, "^")
    text = re.sub(r"\^(−?)(\|[^|]*\||\w(?:_\{[^}]*\})?)", r"^{\1\2}", text)
    text = braced(braced(text, "^", "^"), "√", r"\sqrt")
    text = re.sub(r"√((?:\\hat\{\w\}|\w)(?:_\{[^}]*\})?)", r"\\sqrt{\1}", text)
    return "".join(LETTERS.get(letter, letter) for letter in text)


# ---- one form for what is written in several ways ------------------------------------------------


def factors(node):
    """The factors of a product, one division a fraction."""
    if (
        isinstance(node, sx.Group)
        and len(node.items) == 1
        and not isinstance(node.items[0], (sx.Sum, sx.Relation))
    ):
        return factors(node.items[0])
    if not isinstance(node, sx.Term):
        return [canonical(node)]
    found = []
    for place, (sign, factor) in enumerate(zip(node.operators, node.factors, strict=True)):
        if sign == "/":
            before = node.factors[place - 1]
            over = bare(before) if isinstance(before, sx.Group) else found[-1]
            found = [*found[: -len(factors(before))], ("over", over, bare(factor))]
            continue
        if sign == r"\odot":
            found.append(("odot",))
        found += factors(factor)
    return found


def bare(node):
    """A part without the brackets that only hold it together."""
    while isinstance(node, sx.Group) and len(node.items) == 1:
        node = node.items[0]
    return canonical(node)


def indices(node):
    """The letters of a subscript, however they are put together."""
    items = node.items if isinstance(node, sx.Inside) else (node,)
    parts = [
        part for item in items for part in (item.factors if isinstance(item, sx.Term) else (item,))
    ]
    return tuple(canonical(part) for part in parts)


def index_of(sub):
    """The index that a sum runs over; where it begins is not compared."""
    items = sub.items if isinstance(sub, sx.Inside) else (sub,)
    return tuple(
        canonical(item.sides[0] if isinstance(item, sx.Relation) else item) for item in items
    )


def canonical(node):
    """A part of a formula as nested tuples, the same for every way to write it."""
    match node:
        case sx.Number():
            return ("number", float(node.text))
        case sx.Symbol():
            return ("symbol", node.names[0])
        case sx.Annotated():
            return canonical(node.body)
        case sx.Term() | sx.Group():
            if isinstance(node, sx.Group) and (
                len(node.items) != 1 or not isinstance(node.items[0], sx.Term)
            ):
                return ("group", *map(bare, node.items))
            found = factors(node)
            return found[0] if len(found) == 1 else ("product", *found)
        case sx.Sum():
            return (
                "sum",
                *(
                    (sign, canonical(term))
                    for sign, term in zip(node.signs, node.terms, strict=True)
                ),
            )
        case sx.Scripted():
            subs = tuple(part for sub in node.subs for part in indices(sub))
            return (
                "scripts",
                canonical(node.base),
                subs,
                tuple(map(canonical, node.sups)),
                node.primes,
            )
        case sx.Inside():
            return (
                ("inside", node.transposed, *map(canonical, node.items))
                if len(node.items) != 1 or node.transposed
                else canonical(node.items[0])
            )
        case sx.Function():
            name = "ln" if node.name == "log" else node.name
            return ("function", name, node.scripts and canonical(node.scripts), bare(node.argument))
        case sx.Reduction():
            return (
                "over all",
                node.name,
                tuple(i for sub in node.subs for i in index_of(sub)),
                canonical(node.body),
            )
        case sx.Fraction():
            return ("over", bare(node.numerator), bare(node.denominator))
        case sx.Node():
            own = [getattr(node, name) for name in node.__dataclass_fields__ if name != "span"]
            return (type(node).__name__, *(canonical_of(value) for value in own))


def canonical_of(value):
    if isinstance(value, tuple):
        return tuple(map(canonical_of, value))
    return canonical(value) if isinstance(value, sx.Node) else value


def same(formula, display):
    """Tell whether a formula is an equation of a display, or two sides of a chain in it."""
    (stated,) = sx.parse_display(latex_of(formula))
    sides, signs = [bare(side) for side in stated.sides], set(stated.signs)
    for relation in sx.parse_display(display):
        there = [bare(side) for side in relation.sides]
        if signs == {"="} and "=" in relation.signs and all(side in there for side in sides):
            return True
        if relation.signs == stated.signs and there == sides:
            return True
    return False


# ---- the docstrings ----------------------------------------------------------------------------


@cache
def docstrings():
    """The docstrings of the public names, and of their public methods, by name."""
    found = {}
    for module in map(importlib.import_module, MODULES):
        for name in module.__all__:
            thing = getattr(module, name)
            found[f"{module.__name__}.{name}"] = (
                inspect.getdoc(thing) if inspect.isclass(thing) else None
            )
            if inspect.isclass(thing):
                for method, function in vars(thing).items():
                    if not method.startswith("_") and inspect.isfunction(function):
                        found[f"{module.__name__}.{name}.{method}"] = inspect.getdoc(function)
            elif inspect.isfunction(thing):
                found[f"{module.__name__}.{name}"] = inspect.getdoc(thing)
    return {name: text for name, text in found.items() if text}


def marked():
    return [
        pytest.param(
            match["formula"], match["label"], id=f"{name.rpartition('.')[2]} {match['formula']}"
        )
        for name, text in docstrings().items()
        for match in MARKED.finditer(" ".join(text.split()))
    ]


@pytest.mark.parametrize("formula, label", marked())
def test_formula_is_the_equation_of_its_chapter(formula, label):
    assert label in DISPLAYS, f"no display is labelled {label}"
    display = DISPLAYS[label].latex
    assert same(formula, display), (
        f"{formula}, in LaTeX {latex_of(formula)}, is not in {label}:\n{display}"
    )


def test_every_formula_is_marked():
    """What is written as an equation, outside examples and parameters, has its mark."""
    loose = []
    for name, text in docstrings().items():
        prose = re.split(r"\n(?:Parameters|Attributes|Returns|Raises|Examples)\n-+", text)[0]
        prose = MARKED.sub("", " ".join(prose.split()))
        prose = re.sub(
            r"``[ -~]*?``|`[^`]*`|\w = \d", "", prose
        )  # code, names, a value that is set
        loose += [f"{name}: {prose}" for sign in (" = ", " ← ") if sign in prose]
    assert not loose, "\n".join(loose)


MAIN = [f"activations.{name}" for name in activations.__all__ if name not in ("Activation", "Identity")] + (
    "initializers.He initializers.Xavier initializers.LeCun layer.DenseLayer losses.MSELoss losses.CrossEntropyLoss "
    "losses.BinaryCrossEntropyLoss optimizers.SGD optimizers.Momentum optimizers.Adam"
).split()


@pytest.mark.parametrize("name", MAIN)
def test_main_names_state_their_equation(name):
    assert MARKED.search(" ".join(docstrings()[f"nnbook.core.{name}"].split()))


def test_marks_lead_somewhere():
    """An equation that a docstring names without a formula exists, too."""
    named = {
        label
        for text in docstrings().values()
        for label in re.findall(r":eq:`(eq-[a-z0-9-]+)`", text)
    }
    assert sorted(named - DISPLAYS.keys()) == []


# ---- and the comparison can fail ----------------------------------------------------------------


@pytest.mark.parametrize(
    "right, wrong, label",
    [
        (
            "dW = (1/m) Xᵀ dZ",
            ["dW = Xᵀ dZ", "dW = (1/m) X dZ", "dW = (1/n) Xᵀ dZ", "dW = −(1/m) Xᵀ dZ"],
            "eq-dense-dw",
        ),
        (
            "dbⱼ = (1/m) Σᵢ dZᵢⱼ",
            ["dbⱼ = (1/m) Σⱼ dZᵢⱼ", "dbⱼ = (1/m) Σᵢ dZⱼᵢ", "dbⱼ = Σᵢ dZᵢⱼ"],
            "eq-dense-db",
        ),
        ("ℓᵢ = −Σⱼ yᵢⱼ ln aᵢⱼ", ["ℓᵢ = Σⱼ yᵢⱼ ln aᵢⱼ", "ℓᵢ = −Σⱼ aᵢⱼ ln yᵢⱼ"], "eq-losses-ce"),
        ("σ(z) = 1 / (1 + e^−z)", ["σ(z) = 1 / (1 + e^z)", "σ(z) = 1 / (1 − e^−z)"], "eq-sigmoid"),
        (
            "v = 2 / ((1 + α²) n_in)",
            ["v = 2 / ((1 + α) n_in)", "v = 2 / ((1 + α²) n_out)"],
            "eq-init-he",
        ),
        ("θ ← θ − lr g", ["θ ← θ + lr g", "θ = θ − lr g"], "eq-sgd"),
        (
            "θₜ = θₜ₋₁ − lr m̂ₜ / (√v̂ₜ + ε)",
            [
                "θₜ = θₜ₋₁ − lr m̂ₜ / √v̂ₜ + ε",
                "θₜ = θₜ₋₁ − lr mₜ / (√v̂ₜ + ε)",
                "θₜ = θₜ − lr m̂ₜ / (√v̂ₜ + ε)",
            ],
            "eq-adam",
        ),
        (
            "Fₖ = (2 TPₖ) / (2 TPₖ + FPₖ + FNₖ)",
            ["Fₖ = TPₖ / (2 TPₖ + FPₖ + FNₖ)", "Fₖ = (2 TPₖ) / (2 TPₖ + FPₖ − FNₖ)"],
            "eq-metrics-f1",
        ),
        ("x̃ᵢⱼ = (xᵢⱼ − μⱼ) / σⱼ", ["xᵢⱼ = (xᵢⱼ − μⱼ) / σⱼ", "x̃ᵢⱼ = (xᵢⱼ − μᵢ) / σⱼ"], "eq-data-standardise"),
        (
            "SELU(z) = λz if z > 0, λα (e^z − 1) if z ≤ 0",
            [
                "SELU(z) = λz if z > 0, λα e^z if z ≤ 0",
                "SELU(z) = λz if z < 0, λα (e^z − 1) if z ≤ 0",
            ],
            "eq-selu",
        ),
    ],
)
def test_the_comparison_tells_right_from_wrong(right, wrong, label):
    assert same(right, DISPLAYS[label].latex), latex_of(right)
    assert [formula for formula in wrong if same(formula, DISPLAYS[label].latex)] == []
