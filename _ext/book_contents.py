"""What the book consists of: chapters and modules, read from the notebooks and the package."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).resolve().parent.parent
EXPORTED_FROM = re.compile(r"^# %% (?:\.\./)+nbs/(\w+)\.ipynb #", re.MULTILINE)
NUMBER = re.compile(r"(A?)0*(\d+)_")


def number(chapter: str) -> str:
    """How the book calls a chapter: 5 for 05_layer, A4 for A4_executable_equations."""
    match = NUMBER.match(chapter)
    return match[1] + match[2] if match else ""


def in_order(pages: Iterable[str]) -> list[str]:
    """Those of the pages that are chapters, then the appendices, each by number."""
    chapters = [page for page in pages if number(page)]
    return sorted(chapters, key=lambda name: (name[0] == "A", int(number(name).lstrip("A"))))


@cache
def homes() -> dict[str, str]:
    """The chapter that each module of the package comes from, by the module's dotted name."""
    found = {}
    for path in sorted((ROOT / "nnbook").rglob("*.py")):
        match = EXPORTED_FROM.search(path.read_text(encoding="utf-8"))
        if match:
            found[".".join(path.relative_to(ROOT).with_suffix("").parts)] = match[1]
    return found


def defined(source: str) -> Iterator[str]:
    """The names that a piece of code defines at its top level."""
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def exported(notebook: Path) -> list[str]:
    """The names that the exported cells of a notebook define."""
    cells = nbformat.read(notebook, as_version=4).cells
    sources = [cell.source for cell in cells if re.match(r"#\| ?exporti?\b", cell.source)]
    return [name for source in sources for name in defined(source)]


def public(module: str) -> tuple[str, ...]:
    """The names that a module offers."""
    return tuple(getattr(importlib.import_module(module), "__all__", ()))


def imported(module: str) -> set[str]:
    """The modules of the package that a module's code imports from."""
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = module.split(".")[: -node.level] if node.level else []
            start = ".".join([*base, *filter(None, [node.module])])
            names |= {start, *(f"{start}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names & homes().keys() - {module}


def markdown(notebook: Path) -> list[str]:
    """The text cells of a notebook."""
    cells: list[Any] = nbformat.read(notebook, as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "markdown"]
