"""Runs the cells of a page in Chromium, as a reader would, with Pyodide from this machine."""

from __future__ import annotations

import json
import time
from pathlib import Path

from browser import SITE

PATIENCE = 600_000  # milliseconds that anything may take on a slow, busy machine
NOTEBOOKS = sorted(path.stem for path in (SITE / "_static" / "run").glob("*.ipynb"))

FROM_HERE = """(address) => {
    const element = document.getElementById("nn-python");
    element.textContent = JSON.stringify({...JSON.parse(element.textContent), pyodide: address});
}"""
NOT_DRAWN_AGAIN = """nodes => nodes.filter((node) => !node.src.startsWith("blob:")).map(
    (node) => node.alt)"""


def open_to_run(visit, name: str, pyodide: str = "pyodide/", **options):
    """Open a page whose cells take Pyodide from the folder `pyodide` beside the site."""
    opened = visit(name, **options)
    opened.page.set_default_timeout(PATIENCE)
    opened.page.evaluate(FROM_HERE, opened.home + pyodide)
    return opened


def cell(opened, number: int):
    """The cell of a page with this number among its code cells."""
    return opened.page.locator(f".nn-cell-{number}")


def press(opened, number: int, button: str) -> None:
    """Press a button of a cell, which may be folded: `run`, `edit` or `reset`."""
    cell(opened, number).locator(f".nn-run-{button}").dispatch_event("click")


def wait_for_cell(opened, number: int, state: str = "ran") -> str:
    """Wait until a cell says that it `ran`, or `failed`; return the text of its output."""
    found = cell(opened, number)
    found.locator(".nn-run-state", has_text=state).wait_for(state="attached")
    return "\n".join(found.locator(".cell_output .output").all_text_contents())


def wait_until_idle(opened) -> str:
    """Wait until nothing runs; return what the page says then."""
    opened.page.wait_for_selector("#nn-run-bar[data-state=idle]")
    return opened.page.locator(".nn-run-says").inner_text()


def sources(site: Path, name: str) -> list[str]:
    """The code of all cells of a page, as it lies beside it."""
    notebook = json.loads((site / "_static" / "run" / f"{name}.ipynb").read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def run_whole_page(visit, record_property, name: str) -> None:
    """Run a page's cells from top to bottom: all come to their end, and draw their figures again."""
    opened = open_to_run(visit, f"{name}.html")
    page, start = opened.page, time.perf_counter()
    page.locator(".nn-run-run").first.dispatch_event("click")
    wait_until_idle(opened)
    first = time.perf_counter() - start
    page.get_by_role("button", name="Run all").click()
    says = wait_until_idle(opened)
    # for the table that conftest.py prints
    record_property("run", [name, len(sources(SITE, name)), first, time.perf_counter() - start])
    wrong = page.locator(".output.traceback").all_text_contents()
    assert says == "Ready", f"{says}\n" + "\n".join(wrong)
    assert set(page.locator(".nn-run-state").all_text_contents()) == {"ran"}
    assert page.locator(".cell_output img").evaluate_all(NOT_DRAWN_AGAIN) == []
    assert opened.complaints() == []
