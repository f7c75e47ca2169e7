"""The ledger tells what really ran, the marks what the ledger says, and a hole fails the build."""

import json
import os
import subprocess
import sys

import nbformat
import pytest

import build_book
import equation_ledger as ledger
import nnbook_equations as site
from nnbook.validation.equations import check_equation, not_executed
from nnbook_site import read_notebook

HEAD = "from nnbook.validation.equations import check_equation, not_executed\n"
DISPLAY = "$$\nc = a - b\n$$ (eq-demo-difference)"
CALL = 'check_equation("eq-demo-difference", a=5, b=3, c=2)'


def notebook(path, *cells):
    """Write a notebook of Markdown cells, which hold prose, and code cells, which don't start so."""
    made = [
        nbformat.v4.new_code_cell(text)
        if text.startswith(("check", "not_", "from", "#|", "x", "import"))
        else nbformat.v4.new_markdown_cell(text)
        for text in cells
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A folder with a notebook of two displays, and a ledger beside it."""
    pages = tmp_path / "pages"
    pages.mkdir()
    notebook(
        pages / "01_demo.ipynb",
        "# Demo\n",
        DISPLAY,
        CALL,
        "A sample is drawn:\n\n$$\nx \\sim N\n$$ (eq-demo-normal)",
        'not_executed("eq-demo-normal", "a distribution")',
    )
    monkeypatch.chdir(pages)
    monkeypatch.setenv("NNBOOK_LEDGER", str(tmp_path / "ledger"))
    monkeypatch.delenv("NNBOOK_MUTANTS", raising=False)
    return tmp_path


def run_checks():
    check_equation("eq-demo-difference", a=5, b=3, c=2)
    not_executed("eq-demo-normal", "a distribution")


# ---- the ledger --------------------------------------------------------------------------------


def test_displays_are_read_with_their_checks(book):
    found = ledger.displays(book / "pages")
    assert list(found) == ["eq-demo-difference", "eq-demo-normal"]
    assert found["eq-demo-difference"].latex == "c = a - b"
    assert found["eq-demo-difference"].check == CALL
    assert found["eq-demo-difference"].notebook == "01_demo"


def test_what_ran_leaves_no_hole(book):
    run_checks()
    ran = ledger.entries(book / "ledger")
    assert ledger.holes(ledger.displays(book / "pages"), ran) == []
    assert [ran[label].executed for label in ("eq-demo-difference", "eq-demo-normal")] == [
        True,
        False,
    ]


def test_a_check_that_did_not_run_is_a_hole(book):
    not_executed("eq-demo-normal", "a distribution")
    (hole,) = ledger.holes(ledger.displays(book / "pages"), ledger.entries(book / "ledger"))
    assert "eq-demo-difference" in hole and "nothing executed it" in hole


def test_a_display_changed_behind_its_check_is_a_hole(book):
    run_checks()
    path = book / "pages" / "01_demo.ipynb"
    path.write_text(
        path.read_text(encoding="utf-8").replace("c = a - b", "c = a + b"), encoding="utf-8"
    )
    (hole,) = ledger.holes(ledger.displays(book / "pages"), ledger.entries(book / "ledger"))
    assert "other LaTeX" in hole


def test_a_check_without_a_display_is_a_hole(book):
    run_checks()
    ran = ledger.entries(book / "ledger")
    (hole,) = ledger.holes({}, {"eq-demo-difference": ran["eq-demo-difference"]})
    assert "no display" in hole


def test_a_failing_check_enters_nothing(book):
    with pytest.raises(AssertionError):
        check_equation("eq-demo-difference", a=5, b=3, c=8)
    assert ledger.entries(book / "ledger") == {}


def test_the_ledger_adds_up_the_time_of_all_checks_of_a_display(book):
    run_checks()
    once = ledger.entries(book / "ledger")["eq-demo-difference"].seconds
    run_checks()
    assert 0 < once < ledger.entries(book / "ledger")["eq-demo-difference"].seconds < 5


def test_all_checks_of_the_book_take_less_than_five_seconds():
    if not build_book.LEDGER.exists():
        pytest.skip("no build: make book")
    ran = ledger.entries(build_book.LEDGER)
    assert 0.1 < sum(entry.seconds for entry in ran.values()) < 5


def test_a_label_twice_in_the_book_is_refused(book):
    notebook(book / "pages" / "02_again.ipynb", DISPLAY, CALL)
    with pytest.raises(ValueError, match="also labels a display of 01_demo"):
        ledger.displays(book / "pages")


def test_the_build_stops_at_a_hole(book, monkeypatch, capsys):
    monkeypatch.setattr(build_book, "PAGES", book / "pages")
    monkeypatch.setattr(build_book, "LEDGER", book / "ledger")
    monkeypatch.setattr(build_book, "chapters", lambda: ["01_demo"])
    not_executed("eq-demo-normal", "a distribution")
    assert not build_book.ledger_is_whole()
    assert "eq-demo-difference" in capsys.readouterr().err
    run_checks()
    assert build_book.ledger_is_whole()
    assert "2 displays, 1 executed, 1 exceptions" in capsys.readouterr().out


# ---- the page of the ledger --------------------------------------------------------------------


@pytest.fixture
def about(book, monkeypatch):
    run_checks()
    monkeypatch.setattr(ledger, "MUTANTS", book / "mutants.json")
    known = site.Known(book / "pages")
    known.mutants = {
        "eq-demo-difference": ledger.Mutants(ledger.digest("c = a - b"), 9, 8, ["c = -b + a"], [])
    }
    return known


def test_the_ledger_lists_everything(about):
    text = site.ledger_text(about, ["01_demo"])
    assert "| {doc}`01_demo` | 2 | 1 | 1 | 9 | 8 | 1 |" in text
    assert "- {eq}`eq-demo-normal`: a distribution" in text
    assert "| {eq}`eq-demo-difference` | 8 of 9, 1 equivalent | `" + CALL in text
    assert "stored outputs" not in text


def test_the_ledger_refuses_stale_mutants(about):
    about.displays["eq-demo-difference"].latex = "c = a - b - 0"
    text = site.ledger_text(about, ["01_demo"])
    assert "not tried since the display changed" in text and "8 of 9" not in text
    assert "| {doc}`01_demo` | 2 | 1 | 1 | 0 | 0 | 0 |" in text


def test_outside_a_build_the_ledger_says_so(about):
    about.ran = None
    assert "stored outputs" in site.ledger_text(about, ["01_demo"])
    assert "in this build" not in about.mark("eq-demo-difference", "1.1")


def test_marks_tell_what_ran(about):
    assert "✓" in about.mark("eq-demo-difference", "1.1")
    assert "in this build" in about.mark("eq-demo-difference", "1.1")
    assert 'href="#check-eq-demo-difference"' in about.mark("eq-demo-difference", "1.1")
    assert "–" in about.mark("eq-demo-normal", "1.2")
    del about.ran["eq-demo-difference"]
    assert about.mark("eq-demo-difference", "1.1") == ""
    assert about.mark("eq-unknown", "1.3") == ""


# ---- check cells -------------------------------------------------------------------------------


def tags(source, before="Text.", *outputs):
    cells = [
        nbformat.v4.new_markdown_cell(before),
        nbformat.v4.new_code_cell(source, outputs=list(outputs)),
    ]
    read = read_notebook(nbformat.writes(nbformat.v4.new_notebook(cells=cells)))
    return read.cells[1].metadata.get("tags", [])


@pytest.mark.parametrize(
    "source, before, folded",
    [
        (CALL, "Text.", True),
        (f"{CALL},\n{CALL}".replace("\n", " "), "So:", True),
        (f"x = 3\n{CALL}", "Text.", True),
        (f"#| code-fold: true\nx = 3\n{CALL}", "Text.", True),
        (f"x = 3\n{CALL}", "The layer gives:", False),
        (f"{CALL}\nprint(3)", "Text.", False),
        (f"#| code-fold: false\n{CALL}", "Text.", False),
        (f"#| export\n{CALL}", "Text.", False),
        ("x = 3", "Text.", False),
        ("x = 3\n" * 20 + CALL, "Text.", False),
    ],
)
def test_cells_that_only_check_are_folded(source, before, folded):
    assert (site.CHECK in tags(source, before)) is folded


def test_a_check_that_prints_stays_open():
    printed = nbformat.v4.new_output("stream", name="stdout", text="worth reading")
    assert site.CHECK not in tags(f"x = 3\n{CALL}", "Text.", printed)


# ---- a page as it is rendered ------------------------------------------------------------------

SITE = """
import sys
from sphinx.application import Sphinx
source, out = sys.argv[1:]
app = Sphinx(source, None, out, out + "/.doctrees", "html", warningiserror=False, status=None, confoverrides={
    "extensions": ["myst_nb", "sphinx.ext.mathjax", "nnbook_equations"], "root_doc": "01_demo",
    "nb_execution_mode": "off", "myst_enable_extensions": ["dollarmath"], "mathjax_path": "mathjax.js",
    "nb_custom_formats": {".ipynb": "nnbook_site.read_notebook"}, "math_eqref_format": "({number})",
    "suppress_warnings": ["myst-nb.lexer", "toc.not_included"]})
app.build(force_all=True)
sys.exit(app.statuscode or bool(app._warncount))
"""


def render(book):
    out = book / "html"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ledger.ROOT / "_ext"), str(ledger.ROOT)]),
    }
    done = subprocess.run(
        [sys.executable, "-c", SITE, str(book / "pages"), str(out)],
        env=environment,
        capture_output=True,
        text=True,
    )
    return done, out


@pytest.fixture
def pages(book):
    (book / "pages" / "ledger.md").write_text(
        "---\norphan: true\n---\n# Ledger\n\n<!-- the ledger -->\n", encoding="utf-8"
    )
    path = book / "pages" / "01_demo.ipynb"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["cells"].append(nbformat.v4.new_markdown_cell("As {eq}`eq-demo-difference` says."))
    path.write_text(json.dumps(content), encoding="utf-8")
    return book


def test_the_page_shows_marks_folded_checks_and_what_is_cited(pages):
    run_checks()
    done, out = render(pages)
    assert done.returncode == 0, done.stderr
    page = (out / "01_demo.html").read_text(encoding="utf-8")
    assert page.count('class="nn-ran"') == 2
    assert page.count('<details class="nn-check">') == 2
    for label in ("eq-demo-difference", "eq-demo-normal"):
        assert page.count(f'id="check-{label}"') == 1 and page.count(f'href="#check-{label}"') == 1
    assert "<summary>check of (1)</summary>" in page
    _, _, rest = page.partition('id="nn-equations">')
    assert json.loads(rest.partition("</script>")[0]) == {"eq-demo-difference": "c = a - b"}
    listed = (out / "ledger.html").read_text(encoding="utf-8")
    assert "01_demo.html#equation-eq-demo-difference" in listed and "a distribution" in listed


def test_the_page_fails_where_a_check_did_not_run(pages):
    check_equation("eq-demo-difference", a=5, b=3, c=2)
    done, _ = render(pages)
    assert done.returncode != 0
    assert "eq-demo-normal is stated, and nothing executed it" in done.stderr


def test_without_a_ledger_the_page_still_renders(pages, monkeypatch):
    monkeypatch.delenv("NNBOOK_LEDGER")
    done, out = render(pages)
    assert done.returncode == 0, done.stderr
    assert "when the outputs of this page were stored" in (out / "01_demo.html").read_text(
        encoding="utf-8"
    )


# ---- in a browser ------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["hover", "focus"])
@pytest.mark.parametrize("name, start", [("05_layer", "#equation-"), ("api", "0")])
def test_a_reference_shows_its_equation(visit, how, name, start):
    page = visit(f"{name}.html").page
    links = page.locator(f'article a.reference.internal[href^="{start}"][href*="#equation-eq-"]')
    getattr(links.first, how)()
    card = page.locator("#nn-equation mjx-container")
    card.wait_for(state="visible")
    page.keyboard.press("Escape")
    assert not page.locator("#nn-equation").is_visible()


def test_the_mark_opens_the_check(visit):
    page = visit("05_layer.html").page
    cell = page.locator("details.nn-check > div.cell").first
    assert not cell.is_visible()
    label = cell.get_attribute("id")
    page.locator(f'a.nn-ran[href="#{label}"]').click()
    cell.wait_for(state="visible")
