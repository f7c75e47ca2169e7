"""The reader finds the way: map, search, cards, indices, reference, downloads, launch."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
import textwrap
from html import unescape
from pathlib import Path
from urllib.parse import quote

import nbformat
import pytest

import book_contents
import build_book
import chapter_map
import equation_ledger as ledger
import figure_index
import notebook_links
import symbol_index
from page_parts import parts_of, shown, words

ROOT = Path(__file__).resolve().parent.parent
NBS = ROOT / "nbs"
CHAPTERS = book_contents.in_order(build_book.chapters())


@pytest.fixture(scope="module")
def read(site):
    """The text of a page of the built site."""
    return lambda name: (site / name).read_text(encoding="utf-8")


# ---- chapters and their dependence -------------------------------------------------------------


def test_what_follows_from_a_chain_is_left_out():
    rests = {"a": set(), "b": {"a"}, "c": {"a", "b"}, "d": {"a"}}
    assert chapter_map.reduced(rests) == {"a": set(), "b": {"a"}, "c": {"b"}, "d": {"a"}}


def test_the_map_is_read_from_imports_and_from_what_a_chapter_needs(tmp_path):
    texts = {
        "05_layer": ["(ch-layer)=", "# Layer"],
        "A50_first": ["(app-first)=", "# First"],
        "A51_second": ["# Second", "**What you need.** {ref}`app-first` and {ref}`text <ch-layer>`."],
        "A52_third": ["# Third\n\nText, then {ref}`app-first`."],
    }
    for name, cells in texts.items():
        made = [nbformat.v4.new_markdown_cell(text) for text in cells]
        nbformat.write(nbformat.v4.new_notebook(cells=made), tmp_path / f"{name}.ipynb")
    rests = chapter_map.dependences(tmp_path, book_contents.in_order(texts))
    assert rests["A51_second"] == {"A50_first", "05_layer"} and rests["A52_third"] == set()

    book = chapter_map.dependences(NBS, CHAPTERS)
    assert "04_initializers" in book["05_layer"]  # its code imports from there
    assert "12_model" in book["13_xor"]
    for name, below in book.items():
        assert all(CHAPTERS.index(other) < CHAPTERS.index(name) for other in below)


def test_the_map_draws_and_says_every_step(read):
    page = read("map.html")
    rows = re.findall(r"<li>(.*?)</li>", page.partition('class="nn-map"')[2], re.DOTALL)
    rows = [row for row in rows if "nn-map-number" in row]
    assert [re.search(r'nn-map-text"><a href="(\w+)', row)[1] for row in rows] == CHAPTERS
    rests = chapter_map.dependences(NBS, CHAPTERS)
    for name, row in zip(CHAPTERS, rows, strict=True):
        same = [other for other in rests[name] if (other[0] == "A") == (name[0] == "A")]
        assert row.count('<path d="M') == len(same)
        said = re.search(r"rests on (.*?)(?:;|</small>)", row)
        linked = set(re.findall(r'href="(\w+)\.html"', said[1])) if said else set()
        assert linked == rests[name]


def test_previous_and_next_follow_the_contents(read):
    order = build_book.chapters()
    for place, name in enumerate(order):
        page = read(f"{name}.html")
        links = dict(re.findall(r'<a class="(left-prev|right-next)"\s+href="([^"]+)"', page))
        assert links.get("left-prev") == (f"{order[place - 1]}.html" if place else None)
        after = order[place + 1 : place + 2]
        assert links.get("right-next") == (f"{after[0]}.html" if after else None)


# ---- indices -----------------------------------------------------------------------------------


def test_the_index_of_figures_has_them_all(site, read):
    page = read("figures.html")
    labels = [
        figure.label for name in CHAPTERS for figure in figure_index.figures(NBS / f"{name}.ipynb")
    ]
    drawn = [label for name in CHAPTERS for label in re.findall(r'id="(fig-[\w-]+)"', read(f"{name}.html"))]
    assert labels == drawn and len(labels) > 80
    assert re.findall(r'src="_images/small/(fig-[\w-]+)\.png"', page) == labels
    for label in labels:
        assert (site / figure_index.FOLDER / f"{label}.png").stat().st_size < 40_000
        assert f'#{label}"><span class="std std-numref">Figure' in page


def test_the_glossary_links_every_term(read):
    page = read("glossary.html")
    entries = re.findall(r'<dt id="term-[^"]+">(.*?)</dt>\s*<dd>(.*?)</dd>', page, re.DOTALL)
    assert len(entries) >= 80
    unlinked = [words(term) for term, text in entries if 'class="reference internal"' not in text]
    assert not unlinked


def test_a_symbol_is_where_the_index_says(read, monkeypatch):
    said = []
    monkeypatch.setattr(symbol_index.LOGGER, "warning", lambda text, *given, **_: said.append(text % given))
    displays = {
        "eq-one": ledger.Display("eq-one", r"\hat{m}_t = \beta_1 m_{t-1}", "07_optimizers"),
        "eq-two": ledger.Display("eq-two", r"W = \beta_2 X", "A2_backpropagation"),
    }
    used = symbol_index.uses(displays)
    line = symbol_index.with_uses(r"| $\beta_1$ | decay | {eq}`eq-one` |", "symbols", used, displays)
    assert line.endswith('| <a href="07_optimizers.html#equation-eq-one">7</a> |') and not said
    symbol_index.with_uses(r"| $\beta_1$ | decay | {eq}`eq-two` |", "symbols", used, displays)
    assert said == [r"the equation eq-two does not contain \beta_1"]

    rows = re.findall(r"<tr.*?</tr>", read("symbols.html"), re.DOTALL)
    rows = [row for row in rows if "<td" in row]
    assert len(rows) > 70
    assert all(len(re.findall(r'href="[^"]+#equation-eq-', row)) >= 2 for row in rows)


def test_works_and_the_places_that_cite_them_lead_to_each_other(read):
    cites = re.compile(r'class="bibtex-citation" id="(id\d+)">(.*?)</span>', re.DOTALL)
    cited = set()
    for name in CHAPTERS:
        for _, text in cites.findall(read(f"{name}.html")):
            cited |= {(name, work) for work in re.findall(r'href="bibliography\.html#(id\d+)"', text)}
    page = read("bibliography.html")
    back = set()
    for work, entry in re.findall(r'<div class="citation" id="(id\d+)"(.*?)</div>', page, re.DOTALL):
        for name, place in re.findall(r'<a href="(\w+)\.html#(id\d+)"', entry):
            back.add((name, work))
            target = dict(cites.findall(read(f"{name}.html")))[place]
            assert f"bibliography.html#{work}" in target
    assert len(cited) > 80 and back == cited


# ---- the API reference -------------------------------------------------------------------------


def test_every_public_name_leads_to_its_derivation_and_back(read):
    page = read("api.html")
    entries = dict(re.findall(r'<dt class="sig[^"]*" id="(nnbook[\w.]+)">(.*?)</dt>', page, re.DOTALL))
    names = [(module, name) for module in book_contents.homes() for name in book_contents.public(module)]
    assert len(names) > 150
    for module, name in names:
        chapter = book_contents.homes()[module]
        entry = entries[f"{module}.{name}"]
        assert f'href="{chapter}.html#code-{name}"' in entry, name
        value = getattr(importlib.import_module(module), name)
        if callable(value) and getattr(value, "__module__", "") == module:
            assert f'href="_modules/{module.replace(".", "/")}.html#{name}"' in entry, name
        derivation = read(f"{chapter}.html").partition(f'id="code-{name}"')[2]
        below = derivation.partition('<p class="nn-entries">')[2].partition("</p>")[0]
        assert f'href="api.html#{module}.{name}"' in below, name


def documented():
    """The functions, classes and methods of the package that readers call, with their docstrings."""
    for module in book_contents.homes():
        if module.startswith(("nnbook.validation.equations", "nnbook.exercises")):
            continue  # of these readers call a handful, and the rest is their machinery
        for name in book_contents.public(module):
            value = getattr(importlib.import_module(module), name)
            if getattr(value, "__module__", "") != module or not callable(value):
                continue
            above = inspect.getdoc(value) or ""
            yield f"{module}.{name}", value, above
            for method, function in vars(value).items() if inspect.isclass(value) else ():
                if inspect.isfunction(function) and (method == "__init__" or method[0] != "_"):
                    yield f"{module}.{name}.{method}", function, f"{inspect.getdoc(function)}\n{above}"


def test_the_reference_names_the_errors_that_are_raised():
    missing = []
    for name, value, text in documented():
        if inspect.isclass(value) or name.endswith("Differentiable.__init__"):
            continue
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(value)))):
            raised = getattr(getattr(node, "exc", None), "func", None)
            if isinstance(raised, ast.Name) and raised.id != "NotImplementedError":
                missing += [f"{name}: {raised.id}"] * (raised.id not in text)
    assert not missing, "\n".join(missing)


def test_the_reference_says_the_shapes_of_arrays():
    entry = re.compile(r"^(?:[\w, ]+ : )?(?:array_like|ndarray)\b.*(?:\n    .*)*", re.MULTILINE)
    found = [(name, array) for name, _, text in documented() for array in entry.findall(text)]
    assert len(found) > 100
    missing = [f"{name}: {array}" for name, array in found if not re.search(r"shape|length|as `", array)]
    assert not missing, "\n".join(missing)


# ---- a page and its notebook -------------------------------------------------------------------


def test_every_notebook_can_be_downloaded_with_its_outputs(site, read):
    for name in CHAPTERS:
        page = read(f"{name}.html")
        assert page.count(f'<a href="_sources/{name}.ipynb" download>') == 1
        downloaded = nbformat.read(site / "_sources" / f"{name}.ipynb", as_version=4)
        assert name[0] == "A" or any(cell.get("outputs") for cell in downloaded.cells)
        assert "Binder" not in page and "Colab" not in page  # no repository is named
    assert "nn-notebook" not in read("glossary.html")


SMALL_SITE = """
import sys
from sphinx.application import Sphinx
source, out, repository = sys.argv[1:]
app = Sphinx(source, None, out, out + "/.doctrees", "html", status=None, confoverrides={
    "extensions": ["myst_nb", "notebook_links"], "html_theme": "sphinx_book_theme", "root_doc": "05_layer",
    "nb_execution_mode": "off", "html_theme_options": {
        "repository_url": repository, "repository_branch": "main", "path_to_docs": "nbs",
        "launch_buttons": {"notebook_interface": "jupyterlab", "binderhub_url": "https://mybinder.org",
                           "colab_url": "https://colab.research.google.com"}}})
app.build(force_all=True)
sys.exit(app.statuscode)
"""


@pytest.mark.parametrize("repository", ["", "https://github.com/someone/book"])
def test_where_to_launch_is_shown_once_a_repository_is_named(tmp_path, repository):
    pages = tmp_path / "pages"
    pages.mkdir()
    cells = [nbformat.v4.new_markdown_cell("# Layer\n\nText."), nbformat.v4.new_code_cell("1 + 1")]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), pages / "05_layer.ipynb")
    subprocess.run(
        [sys.executable, "-c", SMALL_SITE, str(pages), str(tmp_path / "out"), repository],
        cwd=ROOT / "_ext",
        check=True,
        capture_output=True,
    )
    page = (tmp_path / "out" / "05_layer.html").read_text(encoding="utf-8")
    links = dict(re.findall(r'<a href="(https://[^"]+)">(Binder|Colab)</a>', page))
    expected = {
        "https://mybinder.org/v2/gh/someone/book/main?urlpath=lab/tree/nbs/05_layer.ipynb": "Binder",
        "https://colab.research.google.com/github/someone/book/blob/main/nbs/05_layer.ipynb": "Colab",
    }
    assert links == (expected if repository else {})
    assert ("%pip install git+https://github.com/someone/book" in page) is bool(repository)
    assert notebook_links.LAUNCH not in page  # the theme's button has an icon of another host
    assert '<a href="_sources/05_layer.ipynb" download>' in page


# ---- parts of pages ----------------------------------------------------------------------------


def test_parts_are_read_as_the_page_shows_them():
    page = """<span id="ch-demo"></span><h1>3. Demo<a class="headerlink" href="#demo">#</a></h1>
<blockquote><p>Summary.</p></blockquote><h2>Part</h2>
<div class="math notranslate" id="equation-eq-demo">
<span class="eqno">(3.1)<a class="headerlink" href="#equation-eq-demo">#</a></span>\\[a &lt; b\\]</div>
<div class="proof theorem admonition" id="thm-demo"><p class="admonition-title">
<span class="caption-number">Theorem 3.1 </span> (Main)</p><div><div>Nested</div></div></div>
<dl><dt id="term-bias">bias<a class="headerlink" href="#term-bias">#</a></dt>
<dd><p>A <a class="reference internal" href="x.html#y">row</a>.</p></dd></dl>"""
    chapter, equation, theorem, term = parts_of("03_demo.html", page)
    assert (chapter.kind, chapter.anchor, chapter.title) == ("chapter", "ch-demo", "3. Demo")
    assert (equation.number, equation.title, equation.section) == ("3.1", r"\[a < b\]", "Part")
    assert (theorem.kind, theorem.number, theorem.title) == ("theorem", "3.1", "Main")
    assert theorem.html.endswith("<div><div>Nested</div></div></div>")
    assert (term.title, term.text) == ("bias", "A row.")
    assert shown(term.html) == "<p><strong>bias</strong></p><p>A row.</p>"


# ---- as a reader finds it ----------------------------------------------------------------------


FOUND = {
    "softmax": ["glossary#term-softmax", "api#nnbook.core.activations.Softmax", "03_activations#equation-eq-softmax"],
    "eq-softmax-jacobian": ["03_activations#equation-eq-softmax-jacobian"],
    "train_test_split": ["api#nnbook.utils.data_utils.train_test_split"],
    "learning rate": ["glossary#term-learning-rate"],
    "He initialization": [
        "glossary#term-He-initialisation", "api#nnbook.core.initializers.He", "04_initializers#equation-eq-init-he"
    ],
    "gradient checks": ["glossary#term-gradient-check"],
    "weight gradient mean outer": ["05_layer#fig-layer-outer"],
}  # fmt: skip


def first_places(page, count):
    """Where the first results of a search lead."""
    page.locator("ul.nn-found > li").first.wait_for()
    links = page.locator("ul.nn-found > li > a").evaluate_all("links => links.map(link => link.href)")
    return [link.rpartition("/")[2].replace(".html", "") for link in links[:count]]


def test_the_search_finds_equations_functions_and_terms(visit, home):
    opened = visit("search.html")
    for query, expected in FOUND.items():
        opened.page.goto(f"{home}search.html?q={quote(query)}")
        assert first_places(opened.page, len(expected)) == expected
        # what Sphinx finds in the text comes below; the next query cuts its fetching of quotes short
        opened.page.wait_for_function("document.querySelector('.search-summary')?.innerText")
    assert opened.console == [] and opened.offsite == []


def test_the_search_finds_them_in_a_folder_too(visit, site):
    # Sphinx's own search, too, finds pages there, but can't fetch them to quote.
    page = visit(f"{(site / 'search.html').resolve().as_uri()}?q=softmax").page
    assert first_places(page, 3) == FOUND["softmax"]


def test_a_result_of_the_search_shows_its_formula_and_leads_to_it(visit):
    page = visit("search.html?q=eq-dense-dw").page
    first = page.locator("ul.nn-found > li").first
    first.locator("mjx-container").wait_for()
    first.locator("a").click()
    page.wait_for_url("**/05_layer.html#equation-eq-dense-dw")


@pytest.mark.parametrize(
    "name, link, content",
    [
        ("05_layer", 'a[href="#fig-layer-shapes"]', "figure img"),
        ("05_layer", 'a[href*="bibliography.html#id"]', "text=Rumelhart"),
        ("05_layer", 'a[href$="#ch-activations"]', "text=Bend the line"),
        ("06_losses", 'a[href*="#thm-"]', "div.proof"),
        ("glossary", 'a[href="#term-ReLU"]', "mjx-container"),
        ("api", 'a[href="#nnbook.core.layer.Layer"]', ".nn-signature"),
    ],
)
def test_a_reference_shows_what_it_refers_to(visit, name, link, content):
    opened = visit(f"{name}.html")
    page = opened.page
    reference = page.locator(f"article {link}.reference.internal").first
    card = page.locator("[role=tooltip]")
    for reach in (reference.hover, reference.focus):
        reach()
        card.locator(content).first.wait_for()
        page.wait_for_function("document.querySelector('[role=tooltip]').style.visibility === 'visible'")
        box = card.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 1280
        page.keyboard.press("Escape")
        assert not card.is_visible()
    assert opened.complaints() == []


def test_a_card_opens_on_a_page_from_a_file(visit, site):
    opened = visit((site / "05_layer.html").resolve().as_uri())
    link = opened.page.locator('article a.reference.internal[href="#fig-layer-shapes"]').first
    link.focus()
    image = opened.page.locator("[role=tooltip] figure img")
    image.wait_for()
    assert image.evaluate("image => image.naturalWidth") > 100
    assert opened.complaints() == []


def test_every_reference_to_a_part_has_its_card(read):
    page = read("05_layer.html")
    cards = json.loads(re.search(r'id="nn-cards">(.*?)</script>', page, re.DOTALL)[1])
    article = page.partition("<article")[2].partition("</article>")[0]
    links = {unescape(link) for link in re.findall(r'class="reference internal" href="([^"]+)"', article)}
    parts = {link for link in links if re.search(r"#(fig|thm|ex|id\d|term|ch)-?", link)}
    assert len(parts) > 5 and parts <= cards.keys()
    assert all('id="' not in html and "<a" not in html for html in cards.values())


def test_the_landing_page_says_in_one_screen_what_this_is(visit):
    page = visit("index.html", height=800).page
    for name in ("00_preface", "map", "api"):
        link = page.locator(f'article p a[href^="{name}.html"]').first
        box = link.bounding_box()
        assert box["y"] + box["height"] < 800
    install = page.locator('article p a[href="#install"]').first.bounding_box()
    assert install["y"] < 800
