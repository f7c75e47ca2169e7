"""The map of the chapters: what rests on what, read from the notebooks and the package.

A chapter rests on another when its module imports from the other's, or when its paragraph "What you
need" refers to it. What follows from a chain of such steps is left out. The page is a list, which
says everything in words and links; an arc beside each entry leads down from what it rests on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

import equation_ledger as ledger
from book_contents import homes, imported, in_order, markdown, number

PAGE = "map"
LABEL = re.compile(r"^\(((?:ch|app)-[\w-]+)\)=$", re.MULTILINE)
NEEDS = re.compile(r"\*\*What you need[.:]\*\*(?P<text>.*?)(?:\n\n|\Z)", re.DOTALL)
REFERENCE = re.compile(r"\{ref\}`(?:[^`<]*<)?([\w-]+)>?`")
WIDTH = 96  # of the drawing of the arcs, in its own unit; a row is ROW high
ROW = 10


def dependences(folder: Path, order: list[str]) -> dict[str, set[str]]:
    """What each chapter rests on, chains left out."""
    texts = {name: markdown(folder / f"{name}.ipynb") for name in order}
    owners = {
        label: name
        for name, cells in texts.items()
        for cell in cells
        for label in LABEL.findall(cell)
    }
    rests: dict[str, set[str]] = {name: set() for name in order}
    for name, cells in texts.items():
        for match in (match for cell in cells for match in NEEDS.finditer(cell)):
            rests[name] |= {owners.get(label, name) for label in REFERENCE.findall(match["text"])}
    for module, name in homes().items():
        if name in rests:
            rests[name] |= {homes()[other] for other in imported(module)} & rests.keys()
    # What comes later is mentioned, and not rested on.
    return reduced({name: rests[name] & set(order[:place]) for place, name in enumerate(order)})


def reduced(rests: dict[str, set[str]]) -> dict[str, set[str]]:
    """Leave out what another step of the same chapter leads to as well."""

    def reach(name: str) -> set[str]:
        return rests[name].union(*(reach(below) for below in rests[name]))

    return {
        name: {one for one in below if not any(one in reach(other) for other in below)}
        for name, below in rests.items()
    }


def arcs(place: int, below: list[int]) -> str:
    """The drawing beside a row: from each row it rests on, an arc comes down to it."""
    if not below:
        return ""
    span = place - min(below)
    paths = []
    for other in below:
        start, end = (other - min(below)) * ROW, span * ROW
        reach = WIDTH - min(WIDTH - 8, 14 + 7 * (place - other))
        paths.append(f'<path d="M{WIDTH} {start}C{reach} {start} {reach} {end} {WIDTH} {end}"/>')
    paths.append(f'<path class="nn-end" d="M{WIDTH - 1} {span * ROW}h0"/>')
    return (
        f'<svg viewBox="0 0 {WIDTH} {span * ROW}" preserveAspectRatio="none" aria-hidden="true"'
        f' style="--nn-span: {span}">{"".join(paths)}</svg>'
    )


def link(name: str, text: str) -> str:
    return f'<a href="{name}.html">{escape(text)}</a>'


def row(name: str, title: str, rows: list[str], rests: dict[str, set[str]]) -> str:
    """A row of the map: its arcs, and the same in words, which also name other lists' chapters."""
    below = in_order(rests[name])
    above = in_order([other for other in rests if name in rests[other]])
    says = [
        f"{verb} {', '.join(link(other, number(other)) for other in others)}"
        for verb, others in (("rests on", below), ("carries", above))
        if others
    ]
    drawn = arcs(rows.index(name), [rows.index(other) for other in below if other in rows])
    return (
        f'<li>{drawn}<span class="nn-map-number">{number(name)}</span>'
        f'<span class="nn-map-text">{link(name, title)}<small>{"; ".join(says)}</small></span></li>'
    )


def map_text(folder: Path, pages: Iterable[str]) -> str:
    """The map in Markdown, chapters first, then appendices, each a list with arcs of its own."""
    order = in_order(pages)
    rests = dependences(folder, order)
    text = []
    for heading, letter in (("The chapters", False), ("The appendices", True)):
        rows = [name for name in order if number(name).startswith("A") == letter]
        items = [row(name, ledger.title(folder, name), rows, rests) for name in rows]
        text += [
            f"## {heading}",
            "",
            "```{raw} html",
            '<ol class="nn-map">',
            *items,
            "</ol>",
            "```",
            "",
        ]
    return "\n".join(text)


def write_map(app: Sphinx, page: str, source: list[str]) -> None:
    if page == PAGE:
        text = map_text(Path(app.srcdir), app.env.found_docs)
        source[0] = source[0].replace("<!-- the map -->", text)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", write_map)
    return {"version": "1", "parallel_read_safe": True}
