"""What the search finds besides text: equations, functions, terms, figures, theorems, exercises.

Sphinx's own search indexes the words of pages. A file of entries goes beside it, one for each part
that can be linked to, and `_static/search.js` puts those that match at the head of the results. An
equation is found by its label, the names in its LaTeX, and the words of the section it stands in.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from page_parts import NAMES, Part, parts

FILE = "search-entries.js"
# Words of LaTeX that say how a formula looks, and not what it is about.
LAYOUT = {
    *(
        "left",
        "right",
        "frac",
        "dfrac",
        "begin",
        "end",
        "aligned",
        "split",
        "cases",
        "text",
        "mathrm",
    ),
    *(
        "qquad",
        "quad",
        "bmatrix",
        "operatorname",
        "underset",
        "mathbb",
        "mathbf",
        "if",
        "cdot",
        "in",
    ),
    *(
        "odot",
        "approx",
        "partial",
        "top",
        "leftarrow",
        "otherwise",
        "le",
        "ge",
        "bigl",
        "bigr",
        "out",
    ),
}


def latex_words(latex: str) -> list[str]:
    """The names in a formula: softmax, sigma, ReLU."""
    found = re.findall(r"[A-Za-z]{2,}", latex)
    return [word for word in dict.fromkeys(found) if word not in LAYOUT]


def entry(part: Part) -> list[str]:
    """What the search knows of a part: kind, title, other words, chapter, page, anchor, text.

    The other words find it as well. The text is shown below the title: the formula of an equation,
    what a term means, what a function does.
    """
    title, words, text = part.title, part.anchor, ""
    if part.kind == "equation":
        label = part.anchor.removeprefix("equation-")
        words = " ".join([label, *latex_words(part.title)])
        title, text = f"Equation ({part.number}): {part.section}", part.title
    elif part.kind == "figure":
        title = f"Figure {part.number}: {first_sentence(part.title)}"
        words = f"{part.anchor} {part.title}"
    elif part.kind == "term":
        text = part.text
    elif part.kind in NAMES:
        title, text = part.title.removeprefix("nnbook."), first_sentence(part.text)
    elif part.number:
        title = f"{part.kind.capitalize()} {part.number}: {part.title}".removesuffix(": ")
    page = part.page.removesuffix(".html")
    return [part.kind, title, words, part.chapter, page, part.anchor, text]


def first_sentence(text: str) -> str:
    return re.split(r"(?<=\.)\s", text, maxsplit=1)[0]


def entries(found: dict[tuple[str, str], Part]) -> list[list[str]]:
    return [entry(part) for part in found.values() if part.kind != "chapter"]


def write_entries(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    lines = ",\n".join(json.dumps(item, ensure_ascii=False) for item in entries(parts(app)))
    settings = json.dumps(app.config.mathjax3_config or {})
    text = f"window.nnEntries = [\n{lines}\n];\nwindow.nnMathJax = {settings};\n"
    Path(app.outdir, "_static", FILE).write_text(text, encoding="utf-8", newline="\n")


def load_on_search_page(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    if page == "search":
        app.add_js_file(FILE, defer="defer")
        app.add_js_file("search.js", defer="defer")


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("page_parts")
    app.connect("html-page-context", load_on_search_page)
    app.connect("build-finished", write_entries)
    return {"version": "1", "parallel_read_safe": True}
