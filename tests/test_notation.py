"""The notation that the book announces is the notation that its grammar accepts."""

import json
import re

import pytest

import equation_ledger as ledger
from nnbook.validation.equations.grammar import GRAMMAR, EquationError, latex_parser, notation
from nnbook.validation.equations.names import binding_name
from nnbook.validation.equations.syntax import parse_display

NBS = ledger.ROOT / "nbs"


def cells(name, kind):
    content = json.loads((NBS / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    return [cell for cell in content if cell["cell_type"] == kind]


def table():
    """The rows of the preface's table of notation: what stands in the first column, and the shape."""
    (text,) = [
        source
        for source in map(ledger.source_of, cells("00_preface", "markdown"))
        if re.search(r"^\| symbol, code \|", source, re.MULTILINE)
    ]
    lines = text[text.index("| symbol, code |") :].split("\n\n")[0].splitlines()
    return [[part.strip() for part in line.strip("| ").split(" | ")] for line in lines[2:]]


def formulas(text):
    return re.findall(r"\$([^$]+)\$", text)


def accepted(latex):
    """Tell whether the grammar reads a formula, or knows it as a sign that joins two things."""
    try:
        parse_display(re.sub(r",\)$", ")", latex))  # (n,) is how Python writes a shape of one axis
    except EquationError:
        parse_display(f"a {latex} b")
    return True


def test_the_table_is_there():
    assert len(table()) >= 15
    assert sum(len(formulas(row[0])) for row in table()) >= 18


@pytest.mark.parametrize(
    "latex", sorted({f for row in table() for part in row for f in formulas(part)})
)
def test_the_preface_uses_only_accepted_notation(latex):
    assert accepted(latex)


@pytest.mark.parametrize("row", table(), ids=lambda row: row[0])
def test_symbols_are_bound_by_the_names_that_the_preface_gives(row):
    """`$n_\\mathrm{in}$ `n_in``: a check binds the symbol by the name that stands beside it."""
    symbols, names = formulas(row[0]), re.findall(r"`(\w+)`", row[0])
    for symbol, name in zip(symbols, names, strict=False):
        if symbol.startswith(r"\nabla"):
            continue  # an operator before a symbol is no symbol
        assert binding_name(symbol) == name


@pytest.mark.parametrize("wrong", [r"\frac12", r"A \propto B", r"x_1 + \dots + x_n", r"\unknown"])
def test_other_notation_is_refused(wrong):
    with pytest.raises(EquationError):
        accepted(wrong)


# ---- the appendix that prints the grammar -------------------------------------------------------


def printed():
    outputs = [output for cell in cells("A14_notation", "code") for output in cell["outputs"]]
    return "\n".join("".join(output.get("data", {}).get("text/markdown", "")) for output in outputs)


def test_every_rule_has_a_description_and_an_example():
    rules = re.findall(r"^\??([a-z]\w*):", GRAMMAR.partition("\nREL:")[0], re.MULTILINE)
    assert len(rules) > 20
    blocks = re.split(r"^//! ", GRAMMAR.partition("\nREL:")[0], flags=re.MULTILINE)
    described = {
        rule for block in blocks[1:] for rule in re.findall(r"^\??([a-z]\w*):", block, re.MULTILINE)
    }
    assert set(rules) == described


@pytest.mark.parametrize("title, example", notation(), ids=[title for title, _ in notation()])
def test_the_appendix_prints_every_rule(title, example):
    assert f"**{title}**" in printed()
    assert ", ".join(f"$\\displaystyle {part}$" for part in re.split(r", \\q+uad ", example)) in printed()
    for formula in re.split(r",? *\\(?:quad|;|,) ", example):
        latex_parser().parse(formula.strip(), start="display")


def test_the_appendix_prints_the_rules_as_they_are():
    text = printed()
    for block in re.findall(r"^//= .*\n((?:(?!//|\n).*\n)+)", GRAMMAR, re.MULTILINE):
        assert block.rstrip() in text
    assert text.count("Executed: ") == len(notation())
