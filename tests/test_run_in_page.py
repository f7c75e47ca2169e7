"""Running the code where it is read: in Chromium, with Pyodide served from this machine."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from browser import Visit, serve
from in_page import (
    NOTEBOOKS,
    cell,
    open_to_run,
    press,
    run_whole_page,
    sources,
    wait_for_cell,
    wait_until_idle,
)
from test_site import inaccessible

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "_static"
EDITOR = ROOT / "_ext" / "editor"
SCRIPTS = ("run.js", "run.css", "run-worker.js", "load-python.js", "run_cells.py", "page_figures.py",
           "vendor/editor.js")  # fmt: skip
SCRIPTS_LIMIT = 150_000  # bytes, compressed
PAGE = "05_layer.html"
FIGURE, PLAIN = 2, 3  # cells of that page: the first with a figure, and the first that isn't folded


def write(opened, number: int, code: str) -> None:
    """Put `code` into the editor of a cell, in the place of what is there."""
    press(opened, number, "edit")
    content = cell(opened, number).locator(".cm-content")
    content.wait_for(state="attached")
    content.evaluate("node => { node.closest('details')?.setAttribute('open', ''); node.focus(); }")
    opened.page.keyboard.press("ControlOrMeta+a")
    opened.page.keyboard.insert_text(code)


# ---- every appendix; the chapters are in test_run_chapters.py ------------------------------------


@pytest.mark.parametrize("name", [name for name in NOTEBOOKS if not name[0].isdigit()])
def test_appendix_runs_in_the_browser(visit, pyodide, record_property, name):
    run_whole_page(visit, record_property, name)


# ---- as a reader runs it -------------------------------------------------------------------------


def test_first_click_loads_python_and_runs_the_cells_above(visit, pyodide):
    opened = open_to_run(visit, PAGE)
    page, figure = opened.page, cell(opened, FIGURE).locator("figure img")
    assert [url for url in opened.requests if re.search("/run/|worker|vendor|pyodide", url)] == []
    before = figure.evaluate("node => [node.alt, node.className]")
    press(opened, PLAIN, "run")
    page.locator(".nn-run-size", has_text=re.compile(r"[1-9]\d* of \d\d MB")).wait_for()
    assert page.locator(".nn-run-says").get_attribute("role") == "status"
    assert wait_for_cell(opened, PLAIN) == "eq-dense-unit ✓"
    assert wait_until_idle(opened) == "Ready"
    states = page.locator(".nn-run-state").all_text_contents()
    assert states == ["ran"] * PLAIN + [""] * (len(states) - PLAIN)
    assert figure.evaluate("node => [node.alt, node.className]") == before
    assert figure.get_attribute("src").startswith("blob:")
    assert page.evaluate("document.cookie") == ""
    assert opened.complaints() == []


def test_edited_code_streams_stops_and_starts_anew(visit, pyodide, site):
    opened = open_to_run(visit, PAGE, permissions=["clipboard-read", "clipboard-write"])
    page, first = opened.page, cell(opened, 1)
    write(opened, 1, "total = 0\n")
    page.keyboard.type("for k in range(3):\ntotal += k / 2\n")  # the editor indents
    page.keyboard.press("Backspace")
    page.keyboard.type("print('the sum is', total)\nwhile total:\npass")
    lines = first.locator(".cm-line").all_text_contents()
    assert lines[2:4] == ["    total += k / 2", "print('the sum is', total)"]
    assert first.locator(".k", has_text="while").count() == 1
    first.locator("button.copybtn").dispatch_event("click")
    assert page.evaluate("navigator.clipboard.readText()").rstrip() == "\n".join(lines)
    first.locator(".cm-content").focus()  # copying took it away
    page.keyboard.press("Shift+Enter")
    # the loop has no end, so what is seen was shown while it ran
    first.locator(".output", has_text="the sum is 1.5").wait_for()
    count = len(sources(site, "05_layer"))
    assert page.locator(".nn-run-says").inner_text() == f"Running cell 1 of {count}"
    press(opened, PLAIN, "run")
    page.get_by_role("button", name="Stop", exact=True).click()
    assert wait_until_idle(opened).startswith("Stopped")
    assert set(page.locator(".nn-run-state").all_text_contents()) == {""}
    write(opened, 1, "total")
    page.keyboard.press("Shift+Enter")
    assert "NameError: name 'total' is not defined" in wait_for_cell(opened, 1, "failed")
    assert opened.complaints() == []
    assert inaccessible(page, coloured=True) == []


BROKEN = """\
def outer(x):
    return 1 / x

print("before")
outer(0)"""
CLEAN = """\
before
Traceback (most recent call last):
  File "cell 1", line 5, in <module>
    outer(0)
  File "cell 1", line 2, in outer
    return 1 / x
           ~~^~~
ZeroDivisionError: division by zero
"""


def test_traceback_is_clean_and_nothing_below_runs(visit, pyodide):
    opened = open_to_run(visit, PAGE)
    write(opened, 1, BROKEN)
    press(opened, PLAIN, "run")
    assert "\n".join(wait_for_cell(opened, 1, "failed").split("\n\n")) == CLEAN
    assert wait_until_idle(opened) == "Cell 1 failed"
    states = opened.page.locator(".nn-run-state").all_text_contents()
    assert states == ["failed"] + [""] * (len(states) - 1)
    assert opened.complaints() == []


def test_reset_brings_the_book_back_and_restart_forgets(visit, pyodide):
    opened = open_to_run(visit, PAGE)
    page, drawn = opened.page, cell(opened, FIGURE)
    shown = "node => [...node.querySelectorAll('pre, .cell_output')].map(part => part.innerHTML)"
    before = drawn.evaluate(shown)
    write(opened, 1, "kept = 1")
    write(opened, FIGURE, "import sys\nprint('no figure', file=sys.stderr)\nkept")
    page.keyboard.press("Shift+Enter")
    assert wait_for_cell(opened, FIGURE) == "no figure\n\n1"
    press(opened, FIGURE, "reset")
    assert drawn.evaluate(shown) == before
    assert drawn.locator(".nn-run-state").text_content() == ""
    page.get_by_role("button", name="Restart").click()
    page.wait_for_selector("#nn-run-bar[data-state=loading]")
    assert wait_until_idle(opened) == "Ready"
    write(opened, 1, "'kept' in globals()")
    page.keyboard.press("Shift+Enter")
    assert wait_for_cell(opened, 1) == "False"
    assert opened.complaints() == []


def test_reader_is_told_where_python_cannot_be_loaded(visit):
    opened = open_to_run(visit, PAGE, pyodide="nowhere/")
    press(opened, 1, "run")
    assert wait_until_idle(opened).startswith("Python could not be loaded: ")


def test_page_from_a_file_says_how_to_run_it(visit, site):
    opened = visit((site / PAGE).resolve().as_uri())
    cell(opened, PLAIN).locator("pre").first.click()
    for button in ("run", "edit"):
        press(opened, PLAIN, button)
        assert "python -m http.server" in opened.page.locator(".nn-run-says").inner_text()
        opened.page.get_by_role("button", name="Close").click()
    assert opened.complaints() == []


def test_page_has_no_buttons_without_javascript(visit):
    page = visit(PAGE, java_script_enabled=False).page
    assert page.locator(".nn-run").count() == 0
    assert page.locator(f".nn-cell-{PLAIN} pre").first.is_visible()


# ---- a site that serves everything itself --------------------------------------------------------

CONF = """\
import sys
sys.path.insert(0, {ext!r})
extensions = ["myst_nb", "runnable_cells"]
nb_execution_mode = "off"
html_static_path = [{static!r}]
html_favicon = {static!r} + "/favicon.svg"
"""
CODE = "import numpy as np\n\nnp.arange(3) / 2"
NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# A page"},
        {
            "cell_type": "code",
            "id": "b",
            "metadata": {},
            "source": CODE,
            "outputs": [],
            "execution_count": None,
        },
    ],
    "metadata": {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
    },
    "nbformat": 4,
    "nbformat_minor": 5,
}


def test_pyodide_from_a_folder_is_served_by_the_site(chromium, pyodide, tmp_path, monkeypatch):
    source, built = tmp_path / "source", tmp_path / "built"
    source.mkdir()
    (source / "conf.py").write_text(CONF.format(ext=str(ROOT / "_ext"), static=str(STATIC)))
    (source / "index.ipynb").write_text(json.dumps(NOTEBOOK))
    monkeypatch.setenv("PYODIDE", str(pyodide))
    build = [sys.executable, "-m", "sphinx", "-q", "-W", str(source), str(built)]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with serve(built) as home:
        context = chromium.new_context()
        opened = Visit(context, home)
        opened.page.goto(f"{home}index.html")
        press(opened, 1, "run")
        assert wait_for_cell(opened, 1) == "array([0. , 0.5, 1. ])"
        assert opened.complaints() == []
        context.close()


# ---- what is loaded ------------------------------------------------------------------------------


def test_scripts_are_light(site):
    sizes = {
        name: len(gzip.compress((site / "_static" / name).read_bytes(), 6)) for name in SCRIPTS
    }
    assert sum(sizes.values()) < SCRIPTS_LIMIT, sizes


def test_editor_is_the_bundle_that_was_made(site):
    made = json.loads((EDITOR / "bundle.json").read_text())
    licences = (STATIC / "vendor" / "editor.LICENSE.txt").read_text(encoding="utf-8")
    assert (
        hashlib.sha256((STATIC / "vendor" / "editor.js").read_bytes()).hexdigest() == made["bundle"]
    )
    assert hashlib.sha256((EDITOR / "editor.js").read_bytes()).hexdigest() == made["entry"]
    assert [
        name for name, version in made["packages"].items() if f"{name} {version}" not in licences
    ] == []
    assert (site / "_static" / "vendor" / "editor.LICENSE.txt").exists()


def test_site_carries_the_wheel_of_this_package_and_licences(site):
    (own,), (lark,) = (
        (site / "_static" / "run").glob(f"{name}-*.whl") for name in ("nnbook", "lark")
    )
    with zipfile.ZipFile(own) as wheel:
        for path in (ROOT / "nnbook").rglob("*.py"):
            assert wheel.read(path.relative_to(ROOT).as_posix()) == path.read_bytes()
    for path in (own, lark):
        assert any("licenses/LICENSE" in name for name in zipfile.ZipFile(path).namelist())


# ---- run_cells.py, in this Python ----------------------------------------------------------------

SHOWS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from run_cells import Cells

written = sys.stdout
cells = Cells(lambda message, content=None: print(message, file=written))
right = [cells.run(number, source) for number, source in enumerate(json.load(sys.stdin), 1)]
print(json.dumps({"type": "right", "cells": right}), file=written)
"""


def run_cells(*code: str) -> list[dict]:
    """The messages that cells with this code send."""
    command = [sys.executable, "-c", SHOWS, str(STATIC)]
    done = subprocess.run(
        command, input=json.dumps(code), capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_cell_shows_what_jupyter_would():
    *messages, last = run_cells(
        "x = 2\nx ** 10",
        "x;",
        "None",
        "from IPython.display import HTML, Markdown, Math, display\ndisplay(Math('x'), HTML('<b>'))",
        "list(range(30))",
        "print('a' * 300_000)\nprint('b')",
    )
    assert last["cells"] == [True] * 6
    shown = [(m["cell"], m["mime"], m["content"]) for m in messages if m["type"] == "shown"]
    assert shown[:3] == [
        (1, "text/plain", "1024"),
        (4, "text/latex", "$\\displaystyle x$"),
        (4, "text/html", "<b>"),
    ]
    assert shown[3][2].startswith("[0,\n 1,\n")
    printed = "".join(m["text"] for m in messages if m["type"] == "text")
    assert len(printed) < 201_000 and "not shown" in printed and "b" not in printed


def test_cell_that_fails_says_so_and_hides_what_ran_it():
    *messages, last = run_cells(
        "x = (",
        "try:\n    {}['a']\nexcept KeyError as error:\n    raise ValueError('no a') from error",
        "def hidden():\n    __tracebackhide__ = True\n    raise SystemExit('away')\nhidden()",
        "def f():\n    pass\nimport inspect\nprint(inspect.getsource(f))",
    )
    assert last["cells"] == [False, False, False, True]
    errors = [m["text"] for m in messages if m["type"] == "error"]
    assert errors[0].startswith('  File "cell 1", line 1\n    x = (\n')
    assert 'File "cell 2", line 2' in errors[1] and 'File "cell 2", line 4' in errors[1]
    assert errors[2].endswith("SystemExit: away\n") and "line 3" not in errors[2]
    assert not any("run_cells" in text for text in errors)
    assert messages[-1]["text"] == "\n" and messages[-2]["text"] == "def f():\n    pass\n"
