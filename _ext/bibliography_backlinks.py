"""Each work of the bibliography names the chapters that cite it, with links to the places."""

from __future__ import annotations

import re
from collections import defaultdict
from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from book_contents import in_order, number

PAGE = "bibliography"


def places(app: Sphinx) -> dict[str, dict[str, str]]:
    """Where each work is cited: by the id of its entry, the first place in each chapter."""
    cite = app.env.get_domain("cite")
    entries = {item.key: item.citation_id for item in cite.citations}  # type: ignore[attr-defined]
    cited: dict[str, dict[str, str]] = defaultdict(dict)
    for reference in cite.citation_refs:  # type: ignore[attr-defined]
        for target in reference.targets:
            cited[entries[target.key]].setdefault(reference.docname, reference.citation_ref_id)
    return cited


def backlinks(app: Sphinx, cited: dict[str, str]) -> str:
    """The chapters that cite a work, each a link to the place."""
    links = []
    for name in in_order(cited):
        title = escape(app.env.titles[name].astext(), quote=True)
        address = f"{app.builder.get_relative_uri(PAGE, name)}#{cited[name]}"
        links.append(f'<a href="{address}" title="{title}">{number(name)}</a>')
    return f'<span class="nn-cited">Cited in {", ".join(links)}.</span>'


def add_backlinks(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    if page != PAGE or app.builder.format != "html":
        return
    body = context["body"]
    for entry, cited in places(app).items():
        found = re.search(rf'<div class="citation" id="{entry}".*?</p>', body, re.DOTALL)
        if found:
            end = found.end() - len("</p>")
            body = f"{body[:end]} {backlinks(app, cited)}{body[end:]}"
    context["body"] = body


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", add_backlinks)
    return {"version": "1", "parallel_read_safe": True}
