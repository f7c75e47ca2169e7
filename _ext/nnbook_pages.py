"""What the pages of the theme and its extensions lack: one element an id, figures for a dark page.

- An id is on a page once. The extensions for theorems and exercises repeat theirs in every box.
- In the dark scheme the style sheet turns figures over, dark for light. Where the words about one
  speak of light and dark they would become untrue, so it keeps its colours.
- A folded cell is opened by the words that it shows, also for those who hear the page.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

TEMPLATES = Path(__file__).resolve().parent.parent / "_templates"
SAYS_HOW_LIGHT = re.compile(r"\b(white|black|dark|bright|light|pale|luminance)", re.IGNORECASE)
TRUE_COLOURS = "nn-true-colours"


def configure(app: Sphinx, config: Any) -> None:
    config.templates_path = [str(TEMPLATES), *config.templates_path]


def keep_first_of_each_id(doctree: nodes.document) -> None:
    seen: set[str] = set()
    for node in doctree.findall(nodes.Element):
        node["ids"] = [name for name in node["ids"] if name not in seen]
        seen.update(node["ids"])


def keep_colours_that_are_spoken_of(doctree: nodes.document) -> None:
    for image in doctree.findall(nodes.image):
        figure = image.parent if isinstance(image.parent, nodes.figure) else image
        if SAYS_HOW_LIGHT.search(f"{image.get('alt', '')} {figure.astext()}"):
            image["classes"].append(TRUE_COLOURS)


def mend(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    keep_first_of_each_id(doctree)
    keep_colours_that_are_spoken_of(doctree)


def name_folded_cells(app: Sphinx, page: str, template: str, context: Any, doctree: Any) -> None:
    if "body" in context:
        context["body"] = context["body"].replace(' aria-label="Toggle hidden content"', "")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("config-inited", configure)
    app.connect("doctree-resolved", mend)
    app.connect("html-page-context", name_folded_cells)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
