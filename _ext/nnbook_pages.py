"""What the pages of the theme and its extensions lack.

- An id is on a page once. The extensions for theorems and exercises put theirs on every box.
- In the dark scheme the style sheet turns figures over, dark for light. Where the words about one
  speak of light and dark, or of handwriting, they would become untrue, so it keeps its colours.
- A large picture gets a palette of 256 colours, a third of the weight, which no eye tells apart.
- A folded cell is opened by the words that it shows, also for those who hear the page.
- A full stop behind a formula never begins a line, a bracket before one never ends it.
- A percent sign stays with its number.
- Names in code break behind their dots and other signs, not inside a word.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx

TEMPLATES = Path(__file__).resolve().parent.parent / "_templates"
REPEATED_IDS = {"proof", "proof-content", "exercise-content", "solution-content"}
SAYS_HOW_LIGHT = re.compile(
    r"\b(white|black|dark|bright|light|pale|luminance|handwritten)", re.IGNORECASE
)
TRUE_COLOURS = "nn-true-colours"
LARGE = 30_000  # bytes
# What belongs to a formula: a bracket that opens before it; behind it punctuation, or an s.
BEFORE_A_FORMULA = re.compile(r"(?<!\S)[(\[“]+$")
BEHIND_A_FORMULA = re.compile(r"[.,;:!?)\]…”]+|['’]s\b|-\w+")


def configure(app: Sphinx, config: Any) -> None:
    config.templates_path = [str(TEMPLATES), *config.templates_path]


def drop_repeated_ids(doctree: nodes.document) -> None:
    for node in doctree.findall(nodes.Element):
        node["ids"] = [name for name in node["ids"] if name not in REPEATED_IDS]


def keep_colours_that_are_spoken_of(doctree: nodes.document) -> None:
    for image in doctree.findall(nodes.image):
        figure = image.parent if isinstance(image.parent, nodes.figure) else image
        if SAYS_HOW_LIGHT.search(f"{image.get('alt', '')} {figure.astext()}"):
            image["classes"].append(TRUE_COLOURS)


def keep_formulas_and_punctuation_together(doctree: nodes.document) -> None:
    for formula in list(doctree.findall(nodes.math)):
        parent = formula.parent
        place = parent.index(formula)
        before = parent[place - 1] if place else None
        behind = parent[place + 1] if place + 1 < len(parent) else None
        opening = BEFORE_A_FORMULA.search(before) if isinstance(before, nodes.Text) else None
        closing = BEHIND_A_FORMULA.match(behind) if isinstance(behind, nodes.Text) else None
        if opening or closing:
            together = nodes.inline(classes=["nn-together"])
            kept = [formula.deepcopy()]
            if opening:
                kept.insert(0, nodes.Text(opening[0]))
                parent[place - 1] = nodes.Text(before[: opening.start()])
            if closing:
                kept.append(nodes.Text(closing[0]))
                parent[place + 1] = nodes.Text(behind[closing.end() :])
            together += kept
            parent[place] = together


def keep_numbers_and_percent_signs_together(doctree: nodes.document) -> None:
    for text in list(doctree.findall(nodes.Text)):
        if not isinstance(text.parent, (nodes.literal, nodes.literal_block, nodes.math, nodes.raw)):
            if (kept := re.sub(r"(?<=\d) (?=%)", "\N{NO-BREAK SPACE}", text)) != text:
                text.parent.replace(text, nodes.Text(kept))


def mend(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    drop_repeated_ids(doctree)
    keep_numbers_and_percent_signs_together(doctree)
    keep_colours_that_are_spoken_of(doctree)
    keep_formulas_and_punctuation_together(doctree)


# What is wrong in the markup for those who hear the page, and what it becomes.
MARKUP = {
    ' aria-label="Toggle hidden content"': "",  # the words that are shown say more
    ' role="doc-biblioentry"': ' role="listitem"',  # a list has items
}


CODE_IN_TEXT = re.compile(r'(?<=<span class="pre">)[^<]+')
END_OF_A_WORD = re.compile(r"(?<=\w)([._/(=]+)(?=\w)")


def mend_markup(app: Sphinx, page: str, template: str, context: Any, doctree: Any) -> None:
    body = context.get("body", "")
    for wrong, right in MARKUP.items():
        body = body.replace(wrong, right)
    context["body"] = CODE_IN_TEXT.sub(lambda code: END_OF_A_WORD.sub(r"\1<wbr>", code[0]), body)


def lighten(path: Path) -> None:
    """Give the picture at `path` a palette, in which the white of the paper stays white."""
    with Image.open(path) as image:
        drawn = image.convert("RGB")
    few = drawn.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    few.putpalette([255 if value > 251 else value for value in few.getpalette() or ()])
    few.save(path, optimize=True)


def lighten_pictures(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    pictures = Path(app.outdir, "_images").glob("*.png")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lighten, (path for path in pictures if path.stat().st_size > LARGE)))


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("config-inited", configure)
    app.connect("doctree-resolved", mend)
    app.connect("html-page-context", mend_markup)
    app.connect("build-finished", lighten_pictures)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
