"""The index of figures: every figure of the notebooks, small, with its caption and a link."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import nbformat
from PIL import Image
from sphinx.application import Sphinx

import equation_ledger as ledger
from book_contents import in_order
from nnbook_pages import SAYS_HOW_LIGHT, TRUE_COLOURS
from nnbook_site import directives

PAGE = "figures"
FOLDER = "_images/small"
WIDTH = 320  # pixels of a small picture: what two columns on a desktop, or one on a phone, show
COLOURS = 64


@dataclass
class Figure:
    """A labelled figure of a notebook: what it shows in words, and the picture as PNG."""

    label: str
    caption: str
    alternative: str
    picture: bytes

    @property
    def classes(self) -> str:
        """Where its words speak of light and dark, it keeps its colours in the dark scheme."""
        return TRUE_COLOURS if SAYS_HOW_LIGHT.search(f"{self.alternative} {self.caption}") else ""

    @property
    def height(self) -> int:
        """How high it is where it is as wide as the index shows it."""
        with Image.open(io.BytesIO(self.picture)) as image:
            return round(image.height * WIDTH / image.width)

    def small(self) -> Image.Image:
        """The picture, as large as the index shows it."""
        with Image.open(io.BytesIO(self.picture)) as image:
            drawn = image.convert("RGB").resize((WIDTH, self.height))
        # the method that keeps a thin curve's colour, which others give up for shades of the paper
        return drawn.quantize(
            COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE
        )


def figures(notebook: Path) -> Iterator[Figure]:
    """The labelled figures of a notebook, with the pictures that it stores."""
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type != "code" or "#| label:" not in cell.source:
            continue
        lines = cell.source.split("\n")
        found = directives([line for line in lines if line.startswith("#|")])
        pictures = [
            output.data["image/png"]
            for output in cell.outputs
            if "image/png" in output.get("data", ())
        ]
        if pictures:
            picture = base64.b64decode(pictures[0])
            yield Figure(found["label"], found["fig-cap"], found["fig-alt"], picture)


def entry(figure: Figure) -> list[str]:
    """A figure in the index, in Markdown."""
    image = (
        f'<img class="{figure.classes}" src="{FOLDER}/{figure.label}.png" loading="lazy" '
        f'width="{WIDTH}" height="{figure.height}" alt="{escape(figure.alternative)}">'
    )
    return [
        "::::{container} nn-small-figure",
        ":::{raw} html",
        image,
        ":::",
        f"{{numref}}`{figure.label}`. {figure.caption}",
        "::::",
        "",
    ]


def index_text(folder: Path, pages: Iterable[str]) -> str:
    text = []
    for name in in_order(pages):
        shown = list(figures(folder / f"{name}.ipynb"))
        if shown:
            text += [f"## {ledger.title(folder, name)}", ""]
            text += [line for figure in shown for line in entry(figure)]
    return "\n".join(text)


def write_index(app: Sphinx, page: str, source: list[str]) -> None:
    if page == PAGE:
        text = index_text(Path(app.srcdir), app.env.found_docs)
        source[0] = source[0].replace("<!-- the figures -->", text)


def write_pictures(app: Sphinx, error: Exception | None) -> None:
    """Put the small pictures beside the large ones."""
    if error or app.builder.format != "html" or PAGE not in app.env.found_docs:
        return
    target = Path(app.outdir, FOLDER)
    target.mkdir(parents=True, exist_ok=True)
    for name in in_order(app.env.found_docs):
        for figure in figures(Path(app.srcdir, f"{name}.ipynb")):
            figure.small().save(target / f"{figure.label}.png", optimize=True)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", write_index)
    app.connect("build-finished", write_pictures)
    return {"version": "1", "parallel_read_safe": True}
