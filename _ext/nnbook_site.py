"""What this book adds to Jupyter Book.

- `read_notebook`: nbdev's `#|` lines become what Jupyter Book understands, and leave the page.
- MathJax from a file of the site, and no script from another host.
- A build that fails when a public name is missing from the API reference.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import shutil
from importlib.metadata import files as files_of
from pathlib import Path
from typing import Any

import nbformat
from sphinx.application import Sphinx
from sphinx.util import logging

from nnbook_equations import CHECK, folds

ROOT = Path(__file__).resolve().parent.parent
LOGGER = logging.getLogger(__name__)
APP: list[Sphinx] = []

# ---- notebooks --------------------------------------------------------------------------------

DIRECTIVE = re.compile(r"#\|\s?(?P<name>[\w-]+):?\s*(?P<value>.*)")
# A directive, with its value where it takes one, and the tags that the cell gets from it.
TAGS = {
    ("export", ""): ["export"],
    ("exporti", ""): ["export"],
    ("hide", ""): ["remove-cell"],
    ("include", "false"): ["remove-cell"],
    ("echo", "false"): ["remove-input"],
    ("output", "false"): ["remove-output"],
    ("code-fold", "true"): ["hide-input"],
    ("code-fold", "false"): ["unfolded"],
}
FIGURE = ("label", "fig-cap", "fig-alt")


def directives(lines: list[str]) -> dict[str, str]:
    """The directives in a cell's leading `#|` lines; more space after `#|` continues a value."""
    found: dict[str, str] = {}
    name = ""
    for line in lines:
        if line.startswith("#|  ") and name in FIGURE:
            found[name] += " " + line[2:].strip()
            continue
        match = DIRECTIVE.fullmatch(line.rstrip())
        if match is None:
            raise ValueError(f"not a directive: {line!r}")
        name = match["name"]
        if name in found:
            raise ValueError(f"directive {name} given twice")
        found[name] = match["value"]
    return found


def read_cell(cell: nbformat.NotebookNode, before: str) -> bool:
    """Turn the directives of `cell` into metadata; false if that leaves nothing of it.

    The text `before` the cell says whether it announces it.
    """
    lines = cell.source.split("\n")
    count = next((i for i, line in enumerate(lines) if not line.startswith("#|")), len(lines))
    found = directives(lines[:count])
    cell.source = "\n".join(lines[count:]).strip("\n")
    tags = set(cell.metadata.get("tags", []))
    for name, value in found.items():
        if name in FIGURE or name == "default_exp":
            continue
        key = (name, "" if name in ("export", "exporti") else value)
        if key not in TAGS:
            raise ValueError(f"unknown directive: #| {name} {value}".rstrip())
        tags |= set(TAGS[key])
    if folds(cell, tags, before):
        tags = tags - {"hide-input"} | {CHECK}
    if tags:
        cell.metadata["tags"] = sorted(tags)
    if any(data.startswith("image/") for output in cell.outputs for data in output.get("data", ())):
        if "remove-cell" not in tags and not found.get("fig-alt"):
            raise ValueError("a figure without `#| fig-alt: …`, the text that says what it shows")
    if "fig-alt" in found:
        shown: dict[str, dict[str, str]] = {"image": {"alt": found["fig-alt"]}}
        if "fig-cap" in found:
            shown["figure"] = {"caption": found["fig-cap"]}
            if "label" in found:
                shown["figure"]["name"] = found["label"]
        cell.metadata["mystnb"] = shown
    elif "fig-cap" in found or "label" in found:
        raise ValueError("`#| fig-cap` and `#| label` go with `#| fig-alt`")
    return bool(cell.source)


def reading() -> str:
    """The document that Sphinx is reading: a reader of notebooks is told its text alone."""
    return APP[0].env.docname if APP else ""


def read_notebook(text: str) -> nbformat.NotebookNode:
    """The notebook as the site shows it; the file keeps its directives."""
    notebook = nbformat.reads(text, as_version=4)
    kept: list[nbformat.NotebookNode] = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            before = kept[-1].source if kept and kept[-1].cell_type == "markdown" else ""
            try:
                if not read_cell(cell, before):
                    continue
            except ValueError as error:
                # A warning, so that one build names every mistake; a strict one fails of it.
                LOGGER.warning("cell %s: %s", cell.get("id"), error, location=reading())
        kept.append(cell)
    notebook.cells = kept
    return notebook


# ---- everything from the site itself -----------------------------------------------------------

# What tex-chtml.js loads by and by is its fonts; the other input and output formats stay behind.
MATHJAX = ("tex-chtml.js", "output/chtml/fonts/", "input/tex/extensions/")


def configure(app: Sphinx, config: Any) -> None:
    config.html_static_path = [str(ROOT / "_static"), *config.html_static_path]
    config.html_css_files = ["nnbook.css", *config.html_css_files]
    config.html_favicon = str(ROOT / "_static" / "favicon.svg")
    config.html_logo = str(ROOT / "_static" / "logo.svg")
    config.mathjax_path = "mathjax/tex-chtml.js"
    if os.environ.get("NNBOOK_EXECUTED"):
        config.nb_execution_mode = "off"


def without_thebe(app: Sphinx) -> None:
    """Thebe's script would come from another host, and fails on every page where it isn't used."""
    import sphinx_thebe

    unwanted = (sphinx_thebe.init_thebe_core, sphinx_thebe.update_thebe_context)
    for listeners in app.events.listeners.values():
        listeners[:] = [listener for listener in listeners if listener.handler not in unwanted]


def copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    """Put MathJax beside the pages: from `_static/` of the sources, each would load all of it."""
    if error or app.builder.format != "html":
        return
    for file in files_of("sphinx-mathjax-offline") or ():
        name = file.as_posix().partition("static/mathjax/")[2]
        if name.startswith(MATHJAX):
            target = Path(app.outdir, "_static", "mathjax", name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), target)


# ---- the API reference is complete -------------------------------------------------------------


def check_api(app: Sphinx, env: Any) -> None:
    """Warn, which fails the strict build, of every public name that no page documents."""
    package = importlib.import_module("nnbook")
    documented = env.get_domain("py").objects
    for info in pkgutil.walk_packages(package.__path__, "nnbook."):
        if info.ispkg or info.name.rpartition(".")[2].startswith("_"):
            continue
        if info.name not in documented:
            LOGGER.warning("module %s is missing from the API reference", info.name)
        module = importlib.import_module(info.name)
        for name in getattr(module, "__all__", ()):
            if f"{info.name}.{name}" not in documented:
                message = "%s.%s is missing from the API reference: no docstring, no #: comment"
                LOGGER.warning(message, info.name, name)


def setup(app: Sphinx) -> dict[str, Any]:
    APP[:] = [app]
    app.connect("config-inited", configure, priority=100)
    app.connect("builder-inited", without_thebe)
    app.connect("build-finished", copy_mathjax)
    app.connect("env-check-consistency", check_api)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
