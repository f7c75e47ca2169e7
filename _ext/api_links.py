"""From every exported cell to the API reference, and from every name there to its cell.

A cell that becomes part of the package gets an address for each name that it defines, and a line
that leads to the names' entries; a name without an entry fails the strict build. Beside each
entry, a link leads back to the cell, which stands where the chapter has derived it. What says
nothing to a reader is left out of the reference.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

from book_contents import defined, exported, homes, number, public

REFERENCE = "api"


def module_of(chapter: str) -> str:
    """The module that a chapter becomes, or nothing."""
    return next((module for module, home in homes().items() if home == chapter), "")


def entries_line(module: str, names: list[str]) -> nodes.paragraph:
    """The line below a cell: its names, each a link to its entry."""
    line = nodes.paragraph(classes=["nn-entries"])
    line += nodes.Text("In the reference: ")
    for place, name in enumerate(names):
        link = addnodes.pending_xref(
            "",
            nodes.literal(name, name),
            refdomain="py",
            reftype="obj",
            reftarget=f"{module}.{name}",
            refexplicit=True,
            refwarn=True,
        )
        line += [nodes.Text(", ")] * bool(place) + [link]
    return line


def link_cells(app: Sphinx, doctree: nodes.document) -> None:
    """Give the exported cells of a chapter their addresses and their lines."""
    module = module_of(app.env.docname)
    if not module:
        return
    for cell in list(doctree.findall(nodes.container)):
        if cell.get("nb_element") != "cell_code" or "tag_export" not in cell["classes"]:
            continue
        block = next(cell.findall(nodes.literal_block), None)
        try:
            names = list(defined(block.astext())) if block is not None else []
        except SyntaxError:
            continue
        names = [name for name in names if name in public(module)]
        cell["ids"] += [f"code-{name}" for name in names]
        if names:
            cell.parent.insert(cell.parent.index(cell) + 1, entries_line(module, names))


def link_entries(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Beside every name in the reference, link to the cell that defines it."""
    if page != REFERENCE or app.builder.format != "html":
        return
    for signature in doctree.findall(addnodes.desc_signature):
        module, name = signature.get("module"), signature.get("fullname")
        chapter = homes().get(module, "")
        if not chapter or name not in exported(Path(app.srcdir, f"{chapter}.ipynb")):
            continue  # a method, beside its class
        text = f"[chapter {number(chapter)}]".replace("chapter A", "appendix A")
        uri = f"{app.builder.get_relative_uri(page, chapter)}#code-{name}"
        link = nodes.reference("", "", internal=True, refuri=uri, classes=["nn-derived"])
        link += nodes.inline(text, text)
        signature += link


def without_aliases(
    app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out the fields of named tuples: the docstring of the class tells what they are."""
    return True if str(getattr(obj, "__doc__", "")).startswith("Alias for field number") else None


# A line "a, b : type" of a docstring's list.
SEVERAL = re.compile(r"^(\w+(?:, \w+)+) : (.*)$")


def one_attribute_a_line(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Give attributes that share a line one each: napoleon takes such a line for a single name."""
    if what not in ("class", "exception") or "Attributes" not in lines:
        return
    at = lines.index("Attributes") + 2
    while at < len(lines) and not set(lines[at]) == {"-"}:
        found = SEVERAL.match(lines[at])
        if found:
            said = lines[at + 1 : at + 6]
            text = next((k for k, line in enumerate(said) if not line.startswith(" ")), len(said))
            entries = [[f"{one} : {found[2]}", *said[:text]] for one in found[1].split(", ")]
            lines[at : at + 1 + text] = [line for entry in entries for line in entry]
            at += sum(map(len, entries))
        else:
            at += 1


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-skip-member", without_aliases)
    app.connect("autodoc-process-docstring", one_attribute_a_line, priority=400)  # before napoleon
    app.connect("doctree-read", link_cells)
    app.connect("doctree-resolved", link_entries)
    return {"version": "1", "parallel_read_safe": True}
