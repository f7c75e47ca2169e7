"""Displays, labels and checks hold together: nothing that the book states goes unexecuted."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent / "nbs").glob("*.ipynb"))
DISPLAY = re.compile(r"\$\$(?P<latex>.+?)\$\$[ \t]*(?P<rest>[^\n]*)", re.DOTALL)
DIRECTIVE = re.compile(r"^(?P<fence>`{3,}|:{3,})\{math\}(?P<latex>.*?)^(?P=fence)", re.DOTALL | re.MULTILINE)
LABEL = re.compile(r"\((eq-[a-z0-9-]+)\)$")
CHECK = re.compile(r"(check_equation|not_executed)\(\s*[\"'](eq-[a-z0-9-]+)[\"']")
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


def stated_and_checked(notebook):
    """What the chapter displays, and what its cells check: (label, position, …)."""
    stated, checked = [], []
    for position, (cell, source) in enumerate(cells(notebook)):
        if cell["cell_type"] == "markdown":
            stated += [(label, position, latex) for label, latex in displays(source)]
        elif cell["cell_type"] == "code":
            checked += [(label, position, how) for how, label in CHECK.findall(source)]
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
    how = [how for notebook in NOTEBOOKS for _, _, how in stated_and_checked(notebook)[1]]
    assert len(how) > 100
    assert how.count("not_executed") <= len(how) / 20


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_checks_are_short(notebook):
    """A check names the equation and binds its symbols; it is not a second derivation."""
    for cell, source in cells(notebook):
        if cell["cell_type"] == "code" and source.lstrip().startswith("check_equation("):
            assert len(source.strip().splitlines()) <= 6, source
