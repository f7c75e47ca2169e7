"""A reference shows what it refers to: the cards that `_static/nnbook.js` lays beside the links.

Every page gets the cards of what it refers to, in a block of data, so that nothing is fetched and
a page opened from a file has them too. Equations have a block of their own, with their LaTeX.
"""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from page_parts import Part, parts

REFERENCE = re.compile(r'<a class="reference internal" href="(?P<address>[^"#]*#[^"]+)"')


def cards_of(page: str, html: str, known: dict[tuple[str, str], Part]) -> dict[str, str]:
    """What the references on a page show, by the address as it is written in the link."""
    found: dict[str, str] = {}
    for address in dict.fromkeys(unescape(text) for text in REFERENCE.findall(html)):
        target, _, anchor = address.partition("#")
        part = known.get((target or page, anchor))
        if part is not None and part.kind != "equation":
            found[address] = part.html
    return found


def write_cards(app: Sphinx, error: Exception | None) -> None:
    """Put each page's cards at its end, when all pages are there."""
    if error or app.builder.format != "html":
        return
    for path in sorted(Path(app.outdir).glob("*.html")):
        html = path.read_text(encoding="utf-8")
        cards = cards_of(path.name, html, parts(app))
        if not cards:
            continue
        data = json.dumps(cards, ensure_ascii=False).replace("<", r"\u003c")
        block = f'<script type="application/json" id="nn-cards">{data}</script>\n'
        before, end, after = html.rpartition("</body>")
        path.write_text(before + block + end + after, encoding="utf-8", newline="\n")


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("page_parts")
    app.connect("build-finished", write_cards)
    return {"version": "1", "parallel_read_safe": True}
