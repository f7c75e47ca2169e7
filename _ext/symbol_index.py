"""The index of symbols: for each row of the page's tables, the chapters whose equations use it.

The tables are written by hand: the symbol, what it means, the equation that introduces it. The
build reads every display with the book's own grammar, adds where each symbol is used, and warns,
which fails the strict build, when the equation named does not contain the symbol.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

import equation_ledger as ledger
from book_contents import in_order, number
from nnbook.validation.equations import syntax as sx
from nnbook.validation.equations.grammar import EquationError
from nnbook.validation.equations.names import binding_name, script_text, spellings

LOGGER = logging.getLogger(__name__)
PAGE = "symbols"
ROW = re.compile(r"^\| \$(?P<symbol>[^$]+)\$(?P<rest>.*\{eq\}`(?P<label>eq-[\w-]+)`) \|$")


def symbols_in(latex: str) -> set[str]:
    """The names of all symbols in a display, with and without their scripts."""
    try:
        display = sx.parse_display(latex)
    except EquationError:  # one that is on the list of exceptions
        return set()
    return {name for node in sx.walk(display) for name in names_of(node)}


def names_of(node: sx.Node) -> Iterator[str]:
    if isinstance(node, sx.Symbol):
        yield node.names[0]
    if isinstance(node, sx.Scripted) and isinstance(node.base, sx.Symbol):
        for script in node.subs + node.sups:
            text = script_text(script)
            if text:
                yield from spellings(node.base, [text])


def uses(displays: dict[str, ledger.Display]) -> dict[str, dict[str, str]]:
    """By symbol, the chapters that use it, each with the label of its first equation there."""
    found: dict[str, dict[str, str]] = {}
    for label, display in displays.items():
        for name in symbols_in(display.latex):
            found.setdefault(name, {}).setdefault(display.notebook, label)
    return found


def with_uses(line: str, page: str, used: dict[str, dict[str, str]], displays: Any) -> str:
    """A row of a table with one more column."""
    match = ROW.match(line)
    if match is None:
        return line
    name, label = binding_name(match["symbol"]), match["label"]
    if label not in displays or name not in symbols_in(displays[label].latex):
        LOGGER.warning("the equation %s does not contain %s", label, match["symbol"], location=page)
    links = [
        f'<a href="{chapter}.html#equation-{used[name][chapter]}">{number(chapter)}</a>'
        for chapter in in_order(used.get(name, {}))
    ]
    return f"{line} {', '.join(links)} |"


def write_uses(app: Sphinx, page: str, source: list[str]) -> None:
    if page == PAGE:
        displays = ledger.displays(Path(app.srcdir))
        used = uses(displays)
        lines = source[0].split("\n")
        source[0] = "\n".join(with_uses(line, page, used, displays) for line in lines)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", write_uses)
    return {"version": "1", "parallel_read_safe": True}
