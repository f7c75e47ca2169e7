"""What can be referred to, as the finished pages show it.

Equations, figures, theorems, exercises, terms, works and names of the package are read from the
pages' own HTML, so that a card that shows one, and a search that finds it, say what the page says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from typing import Any

from sphinx.application import Sphinx

# Kinds of names of the package.
NAMES = ("class", "exception", "function", "value", "method", "attribute")


@dataclass
class Part:
    """A part of a page with an address of its own.

    Attributes
    ----------
    kind : str
        chapter, figure, equation, exercise, term or work; of a theorem or a name of the package,
        what it is: lemma, class, function.
    page, anchor : str
        Its address.
    number : str
        As it stands on the page, without brackets; empty where there is none.
    title : str
        What it is called: a caption, a name, a term; of an equation, its LaTeX.
    text : str
        What is said of a term or a name, in words.
    section, chapter : str
        The headings that it stands under.
    html : str
        How it looks, without links and addresses.
    """

    kind: str
    page: str
    anchor: str
    number: str
    title: str
    text: str
    section: str
    chapter: str
    html: str


CHAPTER = re.compile(
    r'<span id="(?P<id>[\w-]+)"></span>\s*(?P<html><h1>.*?</h1>\s*<blockquote>.*?</blockquote>)',
    re.DOTALL,
)
FIGURE = re.compile(r'<figure\b[^>]*\bid="(?P<id>[\w.-]+)".*?</figure>', re.DOTALL)
EQUATION = re.compile(
    r'<div class="math[^"]*" id="(?P<id>equation-[\w.-]+)">\s*<span class="eqno">'
    r"\((?P<number>[^)<]+)\).*?</span>(?P<latex>\\\[.*?\\\])</div>",
    re.DOTALL,
)
BOX = re.compile(r'<div class="(?:proof (?P<kind>\w+)|exercise) admonition" id="(?P<id>[\w.-]+)">')
TERM = re.compile(
    r'<dt id="(?P<id>term-[^"]+)">(?P<term>.*?)</dt>\s*<dd>(?P<text>.*?)</dd>', re.DOTALL
)
WORK = re.compile(r'<div class="citation" id="(?P<id>[\w.-]+)"[^>]*>')
NAME = re.compile(
    r'<dt class="sig sig-object py" id="(?P<id>[\w.]+)">(?P<signature>.*?)</dt>\s*'
    r"<dd>(?:<p>Bases: .*?</p>\s*)?(?P<rest>.*?</p>)",
    re.DOTALL,
)
HEADING = re.compile(r"<h(?P<level>[1-3])>(?P<text>.*?)</h[1-3]>", re.DOTALL)
CAPTION = re.compile(r'<span class="caption-number">(?P<number>.*?)</span>', re.DOTALL)
NOT_SHOWN = re.compile(
    r'<a class="(?:headerlink|nn-\w+)".*?</a>'
    r'|<span class="(?:viewcode-link|nn-cited)".*?</span>(?:</span>)?'
    r"|<a\b[^>]*>\s*</a>",
    re.DOTALL,
)
LINK = re.compile(r"</?a\b[^>]*>")
ADDRESS = re.compile(r' (?:id|role|aria-\w+|title)="[^"]*"')


def words(html: str) -> str:
    """The words of a piece of HTML."""
    return " ".join(unescape(re.sub(r"<[^>]+>", "", NOT_SHOWN.sub("", html))).split())


def shown(html: str) -> str:
    """A piece of HTML without links and addresses, to be shown a second time."""
    return ADDRESS.sub("", LINK.sub("", NOT_SHOWN.sub("", html))).strip()


def element(html: str, start: int) -> str:
    """The whole element that starts at `start`, with whatever it holds."""
    tag = re.compile(r"<(/?)" + re.escape(html[start + 1 :].split(" ", 1)[0]) + r"\b")
    depth = 0
    for match in tag.finditer(html, start):
        depth += -1 if match[1] else 1
        if not depth:
            return html[start : html.index(">", match.end()) + 1]
    raise ValueError(f"not closed: {html[start : start + 80]}")


def number_of(html: str) -> str:
    """The number in a caption: 5.1 of "Figure 5.1"."""
    match = CAPTION.search(html)
    return words(match["number"]).rpartition(" ")[2] if match else ""


def title_of(html: str) -> str:
    """The title of a theorem or an exercise: what stands in brackets behind its number."""
    match = re.search(r'<p class="admonition-title">(.*?)</p>', html, re.DOTALL)
    text = words(CAPTION.sub("", match[1])) if match else ""
    return text.removeprefix("(").removesuffix(")")


def kind_of(signature: str) -> str:
    """What a name of the package is, by the look of its signature."""
    match = re.match(r'\s*<em class="property">(.*?)</em>', signature, re.DOTALL)
    says = words(match[1]).split(" ")[0] if match else ""
    if says in ("class", "exception"):
        return says
    called = says != "property" and '<span class="sig-paren">' in signature
    if "descclassname" in signature:  # a module stands before the name
        return "function" if called else "value"
    return "method" if called else "attribute"


def parts_of(page: str, body: str) -> list[Part]:
    """Everything on a page that can be referred to, in its order."""
    headings = [
        (match.start(), int(match["level"]), match["text"]) for match in HEADING.finditer(body)
    ]
    chapter = next((words(text) for _, level, text in headings if level == 1), "")
    found: list[tuple[int, Part]] = []

    def add(
        start: int, kind: str, anchor: str, number: str, title: str, html: str, text: str = ""
    ) -> None:
        above = [text for place, level, text in headings if place < start and level > 1]
        section = words(above[-1]) if above else chapter
        part = Part(kind, page, anchor, number, title, text, section, chapter, shown(html))
        found.append((start, part))

    for match in CHAPTER.finditer(body):
        html = re.sub(r"<(/?)h1>", r"<\1strong>", match["html"])
        add(match.start(), "chapter", match["id"], "", chapter, html)
    for match in FIGURE.finditer(body):
        caption = re.search(r'<span class="caption-text">(.*?)</span><a', match[0], re.DOTALL)
        title = words(caption[1]) if caption else ""
        add(match.start(), "figure", match["id"], number_of(match[0]), title, match[0])
    for match in EQUATION.finditer(body):
        latex = unescape(match["latex"])
        add(match.start(), "equation", match["id"], match["number"], latex, match[0])
    for match in BOX.finditer(body):
        box = element(body, match.start())
        kind = match["kind"] or "exercise"
        if kind != "proof":
            add(match.start(), kind, match["id"], number_of(box), title_of(box), box)
    for match in TERM.finditer(body):
        html = f"<p><strong>{words(match['term'])}</strong></p>{match['text']}"
        add(
            match.start(), "term", match["id"], "", words(match["term"]), html, words(match["text"])
        )
    for match in WORK.finditer(body):
        work = element(body, match.start())
        add(match.start(), "work", match["id"], "", words(work), work)
    for match in NAME.finditer(body):
        html = f'<p class="nn-signature">{match["signature"]}</p>{match["rest"]}'
        kind, text = kind_of(match["signature"]), words(match["rest"])
        add(match.start(), kind, match["id"], "", match["id"], html, text)
    return [part for _, part in sorted(found, key=lambda item: item[0])]


def parts(app: Sphinx) -> dict[tuple[str, str], Part]:
    """The parts of all pages that were written so far, by page and anchor."""
    if not hasattr(app, "_nnbook_parts"):
        app._nnbook_parts = {}  # type: ignore[attr-defined]
    return app._nnbook_parts  # type: ignore[attr-defined, no-any-return]


def collect(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    if app.builder.format == "html" and context.get("body"):
        for part in parts_of(f"{page}.html", context["body"]):
            parts(app)[part.page, part.anchor] = part


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", collect, priority=900)  # when the body is as it will be
    return {"version": "1", "parallel_read_safe": True}
