"""Everything that helps to find the way through the book, each in a file of its own."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

PARTS = (
    "reference_cards",  # a reference shows what it refers to
    "search_entries",  # the search finds equations, functions, terms
    "chapter_map",  # map.md
    "figure_index",  # figures.md
    "symbol_index",  # symbols.md
    "bibliography_backlinks",  # bibliography.md
    "api_links",  # between exported cells and api.md
    "notebook_links",  # download and launch
)


def setup(app: Sphinx) -> dict[str, Any]:
    for name in PARTS:
        app.setup_extension(name)
    # behind nnbook.css, whose variables it uses
    app.add_css_file("find-the-way.css", priority=900)
    return {"version": "1", "parallel_read_safe": True}
