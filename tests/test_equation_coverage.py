"""Displays, labels and checks hold together: nothing that the book states goes unexecuted."""

import ast
import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from browser import SITE

import equation_ledger as ledger
from nnbook.validation.equations import syntax as sx

PAGES = Path(__file__).resolve().parent.parent / "nbs"
NOTEBOOKS = sorted(PAGES.glob("*.ipynb"))
DISPLAY = re.compile(r"\$\$(?P<latex>.+?)\$\$[ \t]*(?P<rest>[^\n]*)", re.DOTALL)
DIRECTIVE = re.compile(
    r"^[ \t>]*(?P<fence>`{3,}|:{3,})[ \t]*\{math\}(?P<latex>.*?)^[ \t>]*(?P=fence)", re.DOTALL | re.MULTILINE
)
# What renders as a display without dollars: MyST reads these environments, and reStructuredText, too.
OTHER = re.compile(
    r"\\begin\{(?:align|alignat|equation|eqnarray|flalign|gather|multline)\*?\}.*?\\end\{[a-z]+\*?\}"
    r"|^[ \t]*\.\. math::[^\n]*|\\\[.+?\\\]|<math\b[^>]*display=.block.*?</math>", re.DOTALL | re.MULTILINE
)
LABEL = re.compile(r"\((eq-[a-z0-9-]+)\)$")
FENCED = re.compile(r"^(`{3,}|:{3,})\{?(code|code-block|code-cell|python)\b.*?^\1", re.DOTALL | re.MULTILINE)


def cells(notebook):
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        source = cell["source"]
        yield cell, source if isinstance(source, str) else "".join(source)


def displays(source):
    """The label, or None, of every display in a Markdown cell."""
    source = FENCED.sub("", source)
    for match in DISPLAY.finditer(source):
        label = LABEL.match(match["rest"].strip())
        yield label[1] if label else None, match["latex"]
    for match in DIRECTIVE.finditer(source):
        label = re.search(r"^:label: *(eq-[a-z0-9-]+) *$", match["latex"], re.MULTILINE)
        yield label[1] if label else None, match["latex"]
    for match in OTHER.finditer(DIRECTIVE.sub("", DISPLAY.sub("", source))):
        yield None, match[0]


def stated_and_checked(notebook):
    """What the chapter displays, and what its cells check: (label, position, …)."""
    stated, checked = [], []
    for position, (cell, source) in enumerate(cells(notebook)):
        if cell["cell_type"] == "markdown":
            stated += [(label, position, latex) for label, latex in displays(source)]
        elif cell["cell_type"] == "code":
            checked += [(label, position, call.partition("(")[0]) for label, call in ledger.calls(source)]
    return stated, checked


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_display_is_labelled_and_checked_right_below(notebook):
    stated, checked = stated_and_checked(notebook)
    unlabelled = [latex.strip() for label, _, latex in stated if label is None]
    assert not unlabelled, "displays without a label `(eq-…)`:\n\n" + "\n\n".join(unlabelled)
    where = {label: position for label, position, _ in reversed(checked)}  # its first check
    where_stated = {label: position for label, position, _ in stated}
    assert sorted(where_stated.keys() - where.keys()) == [], "labels without a check"
    assert sorted(where.keys() - where_stated.keys()) == [], "checks without a display"
    all_cells = list(cells(notebook))
    for label, position in where_stated.items():
        assert position < where[label], f"{label} is checked before it is stated"
        between = [source for cell, source in all_cells[position + 1:where[label]] if cell["cell_type"] == "markdown"]
        assert not any(re.search(r"^## ", source, re.MULTILINE) for source in between), \
            f"{label} is checked in another section than the one that states it"


def test_labels_are_unique_in_the_book():
    labels = Counter(label for notebook in NOTEBOOKS for label, _, _ in stated_and_checked(notebook)[0])
    assert [label for label, count in labels.items() if count > 1] == []


def test_at_most_one_display_in_twenty_is_not_executed():
    how = {label: how for notebook in NOTEBOOKS for label, _, how in stated_and_checked(notebook)[1]}
    assert len(how) > 100
    assert list(how.values()).count("not_executed") <= len(how) / 20


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda path: path.stem)
def test_pages_without_code_display_nothing(page):
    """A page that is no notebook can't run a check, so it states nothing in a display."""
    assert list(displays(page.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "$$a = b$$",
        "$$\na = b\n$$ (thm-wrong)",
        ":::{note}\n$$\na = b\n$$\n:::",
        "````{solution} ex-one\n:class: dropdown\n```{math}\na = b\n```\n````",
        "- a list:\n\n  ```{math}\n  a = b\n  ```",
        "> ```{math}\n> a = b\n> ```",
        "\\begin{align}\na &= b\n\\end{align}",
        "```{prf:proof}\n\\begin{equation*}\na = b\n\\end{equation*}\n```",
        "```{eval-rst}\n.. math:: a = b\n```",
    ],
)
def test_displays_are_found_wherever_they_stand(source):
    assert [label for label, _ in displays(source)] == [None]


def test_displays_in_code_are_no_displays():
    assert list(displays("```python\n$$ x $$\n```\n\nand `$x$`, and $x = 1$")) == []


def test_every_display_of_the_site_is_numbered_and_marked():
    """What a reader sees as a display: also what a directive, a docstring or an output adds."""
    if not SITE.exists():
        pytest.skip("no site: make book")
    loose, count = defaultdict(list), 0
    for path in SITE.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        # What a cell puts out in mathematics is a result and no statement of the author.
        page = re.sub(r'<div class="output text_latex math[^>]*>.*?</div>', "", text, flags=re.DOTALL)
        for tag in re.findall(r'<div class="(?:[^"]* )?math[ "][^>]*>', page):
            label = re.search(r'id="equation-(eq-[a-z0-9-]+)"', tag)
            count += 1
            if not label or page.count(f'href="#check-{label[1]}"') != 1:
                loose[path.name].append(tag)
    assert not loose
    assert count > 250


def test_inequalities_are_checked_where_they_are_nearly_equal():
    """A bound that holds for one value would hold for many others: somewhere it must be tight."""
    sources = [source for notebook in NOTEBOOKS for cell, source in cells(notebook) if cell["cell_type"] == "code"]
    calls = defaultdict(str)
    for source in sources:
        for label, call in ledger.calls(source):
            calls[label] += call
    bounds = [
        display.label
        for display in ledger.displays(PAGES).values()
        if not display.check.startswith("not_executed")
        for relation in sx.parse_display(display.latex)
        for left, sign, right in zip(relation.sides, relation.signs, relation.sides[1:], strict=False)
        if sign.lstrip("\\") in ("<", ">", "lt", "gt", "le", "ge", "leq", "geq")
        and not any(isinstance(side, sx.Number) and float(side.text) == 0 for side in (left, right))
    ]
    assert len(bounds) >= 5
    assert [label for label in bounds if "approx=" not in calls[label]] == []


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_checks_are_short(notebook):
    """A check names the equation and binds its symbols; it is not a second derivation."""
    for cell, source in cells(notebook):
        if cell["cell_type"] != "code" or "check_equation(" not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "check_equation":
                assert node.end_lineno - node.lineno < 3, ast.get_source_segment(source, node)
