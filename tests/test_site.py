"""The built site, page by page in a real browser: quiet, self-contained, whole and accessible."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from browser import SITE, inaccessible, sideways

PAGE_LIMIT = 1_500_000  # bytes, compressed, before Run
KEPT_BY_THE_THEME = {"mode", "theme"}  # what it may remember: the reader's choice of light and dark

PAGES = sorted(
    path.relative_to(SITE).as_posix()
    for path in SITE.rglob("*.html")
    if "_static" not in path.relative_to(SITE).parts
)
# The pages that show a module's source come out of one mould: one of them is looked at.
SOURCES = [name for name in PAGES if name.startswith("_modules/")]
SEEN = [name for name in PAGES if name not in SOURCES[1:]]


# ---- as text -----------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a page can be linked by, what it links to, and its pictures."""

    def __init__(self, path: Path):
        super().__init__()
        self.anchors: list[str] = []
        self.links: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if found.get("id"):
            self.anchors.append(found["id"])
        if tag == "img":
            self.pictures.append(found)
        name = "href" if tag in ("a", "link") else "src"
        if found.get(name):
            self.links.append(found[name])


@pytest.fixture(scope="module")
def parsed(site) -> dict[str, Page]:
    return {name: Page(site / name) for name in PAGES}


def test_every_link_leads_somewhere(site, parsed):
    broken = []
    for name, page in parsed.items():
        for link in page.links:
            if urlsplit(link).scheme:
                continue
            address, anchor = urldefrag(link)
            path = unquote(address.partition("?")[0])
            target = (site / name).parent / path if path else site / name
            if not target.is_file():
                broken.append(f"{name}: no file for {link}")
                continue
            linked = parsed.get(target.resolve().relative_to(site.resolve()).as_posix())
            if anchor and linked and unquote(anchor) not in linked.anchors:
                broken.append(f"{name}: no anchor for {link}")
    assert not broken, "\n".join(sorted(set(broken))[:20])


def test_every_id_is_there_once(parsed):
    twice = [
        f"{name}: {anchor}"
        for name, page in parsed.items()
        for anchor in {a for a in page.anchors if page.anchors.count(a) > 1}
    ]
    assert not twice, "\n".join(sorted(twice))


def test_every_picture_says_what_it_shows(parsed):
    silent = [
        f"{name}: {picture.get('src', '')[:80]}"
        for name, page in parsed.items()
        for picture in page.pictures
        # a picture that no text describes gets its own address as alternative text from Sphinx
        if not picture.get("alt") or picture["alt"] == picture.get("src")
    ]
    assert not silent, "\n".join(silent)


class Words(HTMLParser):
    """The text of a page, without its code and scripts."""

    def __init__(self, path: Path):
        super().__init__()
        self.inside = 0
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.inside += tag in ("pre", "code", "script", "style")

    def handle_endtag(self, tag):
        self.inside -= tag in ("pre", "code", "script", "style")

    def handle_data(self, data):
        if not self.inside:
            self.text += data


FORMULA = re.compile(r"\\\(.*?\\\)|\\\[.*?\\\]", re.DOTALL)
MARKUP = re.compile(r"\$|```|\{(?:ref|eq|numref|term|doc|cite:\w+|prf:ref)\}")


def test_no_line_ends_between_a_bracket_and_its_formula_or_inside_a_word_of_code(site):
    pages = {name: (site / name).read_text(encoding="utf-8") for name in PAGES}
    assert not [name for name, text in pages.items() if re.search(r'\s[(\[]+<span class="math', text)]
    assert re.search(r'class="nn-together">\(<span class="math', pages["16_mnist.html"])
    assert '<span class="pre">validation.<wbr>gradient_<wbr>check</span>' in pages["index.html"]


def test_no_markup_is_left_in_the_text(site):
    left = []
    for name in PAGES:
        if name not in SOURCES:
            text = FORMULA.sub("", Words(site / name).text)
            left += [f"{name}: {text[max(0, found.start() - 40):found.end() + 40]!r}"
                     for found in MARKUP.finditer(text)]
    assert not left, "\n".join(left)


# ---- as a reader sees it -----------------------------------------------------------------------

KEPT = "({cookies: document.cookie, keys: Object.keys(localStorage)})"
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
TEX_ERRORS = """[...document.querySelectorAll("mjx-merror")].map(
    (node) => node.getAttribute("data-mjx-error") || node.textContent)"""


@pytest.mark.parametrize("name", SEEN)
def test_page_is_quiet_whole_light_and_accessible(visit, name, record_property):
    opened = visit(name)
    page = opened.page
    weight = opened.transferred()
    # for the table that conftest.py prints
    record_property("page", [name, weight, len(opened.requests), page.evaluate(PAINT)])
    kept = page.evaluate(KEPT)
    wrong = opened.complaints()
    if weight > PAGE_LIMIT:
        wrong.append(f"transfers {weight / 1e6:.2f} MB")
    if kept["cookies"] or set(kept["keys"]) - KEPT_BY_THE_THEME:
        wrong.append(f"keeps {kept}")
    wrong += [f"TeX error: {text}" for text in page.evaluate(TEX_ERRORS)]
    wrong += sideways(page)
    wrong += inaccessible(page, coloured=name in (*SOURCES, "05_layer.html"))
    assert not wrong, "\n".join(wrong[:20])


@pytest.mark.parametrize("name", ["index.html", "05_layer.html", "api.html"])
def test_page_opens_from_a_file(visit, site, name):
    opened = visit((site / name).resolve().as_uri())
    assert opened.complaints() == []
    typeset = opened.page.locator("mjx-container").count()
    assert typeset == opened.page.locator("span.math, div.math").count()


def test_page_reads_without_javascript(visit):
    page = visit("05_layer.html", java_script_enabled=False).page
    assert page.locator("article h1").is_visible()
    assert page.locator("div.cell:not(.tag_hide-input) div.cell_input").first.is_visible()


def test_print_is_the_text_alone_and_unfolded(visit):
    page = visit("05_layer.html", scheme="dark").page
    solutions = page.locator("div.solution p:not(.admonition-title)")
    assert solutions.count() and not any(text.is_visible() for text in solutions.all())
    page.emulate_media(media="print")
    assert page.locator("article h1").is_visible()
    assert all(text.is_visible() for text in solutions.all())
    drawn = page.locator("figure img").first
    assert drawn.evaluate("node => getComputedStyle(node).filter") == "none"
    for around in (
        "#pst-primary-sidebar",
        "#pst-secondary-sidebar",
        ".bd-header-article",
        ".prev-next-area",
    ):
        assert not any(part.is_visible() for part in page.locator(around).all()), around


def test_figures_are_turned_over_in_the_dark_unless_words_would_become_untrue(visit):
    filters = "nodes => nodes.map(node => [node.className, getComputedStyle(node).filter])"
    page = visit("11_visualization.html", scheme="dark").page
    shown = page.locator("figure img").evaluate_all(filters)
    kept = [how for names, how in shown if "nn-true-colours" in names]
    turned = [how for names, how in shown if "nn-true-colours" not in names]
    assert kept and turned
    assert not any("invert" in how for how in kept) and all("invert" in how for how in turned)
    page.emulate_media(color_scheme="light")
    page.wait_for_function("document.documentElement.dataset.theme === 'light'")
    assert all(how == "none" for _, how in page.locator("figure img").evaluate_all(filters))


def test_copying_code_takes_no_prompt_and_no_output(visit):
    page = visit("05_layer.html").page
    assert page.locator("div.cell_input button.copybtn").count()
    assert page.locator("div.cell_output button.copybtn").count() == 0
    page = visit("api.html", permissions=["clipboard-read", "clipboard-write"]).page
    example = page.locator("div.highlight:has(pre:has-text('>>> '))").first
    example.hover()
    example.locator("button.copybtn").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied and ">>>" not in copied
    assert len(copied.splitlines()) < len(example.locator("pre").inner_text().splitlines())
