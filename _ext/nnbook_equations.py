"""What the reader sees of the checks: marks, folded check cells, the ledger, equations on hovering.

With the environment variable NNBOOK_LEDGER, as `make book` sets it, marks and ledger show what was
executed in this build, and a display that was not fails it. Without, the site is rendered from
stored outputs, and says so.
"""

from __future__ import annotations

import ast
import json
import os
import re
from collections import Counter
from html import escape
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

import equation_ledger as ledger

LOGGER = logging.getLogger(__name__)
CHECK = "equation-check"
LONGEST = 16  # lines that a folded check cell may have: more is a program, and stays open

# ---- check cells --------------------------------------------------------------------------------


def folds(cell: nbformat.NotebookNode, tags: set[str], before: str) -> bool:
    """Tell whether a cell is there for its check alone: it ends with one, and shows its tick only.

    Text `before` it that ends with a colon announces the cell; then only pure checks are folded.
    """
    if tags & {"export", "remove-cell", "remove-input", "unfolded"} or not any(
        f"{name}(" in cell.source for name in ledger.CHECKS
    ):
        return False
    try:
        body = ast.parse(cell.source).body
    except SyntaxError:
        return False
    last = body[-1] if body else None
    values = (
        last.value.elts
        if isinstance(last, ast.Expr) and isinstance(last.value, ast.Tuple)
        else [last]
    )
    calls = [value.value if isinstance(value, ast.Expr) else value for value in values]
    if not all(call is not None and ledger.is_check(call) for call in calls):
        return False
    plain = all(output.output_type == "execute_result" for output in cell.outputs)
    pure = all(isinstance(node, ast.Expr) for node in body)
    return plain and (
        pure or (len(cell.source.split("\n")) <= LONGEST and not before.rstrip().endswith(":"))
    )


class Check(nodes.General, nodes.Element):
    """A folded check cell."""


def mark_checks(app: Sphinx, doctree: nodes.document) -> None:
    """Give every cell with checks an address for each, and fold those that are checks alone."""
    addressed: set[str] = set()
    for cell in list(doctree.findall(nodes.container)):
        if cell.get("nb_element") != "cell_code":
            continue
        block = next(cell.findall(nodes.literal_block), None)
        labels = [label for label, _ in ledger.calls(block.astext())] if block is not None else []
        if not labels:
            continue
        first = [label for label in dict.fromkeys(labels) if label not in addressed]
        cell["ids"] += [f"check-{label}" for label in first]
        addressed.update(first)
        if f"tag_{CHECK}" in cell["classes"]:
            folded = Check("", labels=list(dict.fromkeys(labels)))
            cell.replace_self(folded)
            folded += cell


def visit_check(self: Any, node: Check) -> None:
    numbers = ", ".join(
        f'<span class="nn-number" data-label="{label}">{label}</span>' for label in node["labels"]
    )
    self.body.append(f'<details class="nn-check"><summary>check of {numbers}</summary>\n')


def depart_check(self: Any, node: Check) -> None:
    self.body.append("</details>\n")


def ignore(self: Any, node: Check) -> None:
    pass


# ---- marks --------------------------------------------------------------------------------------

SHOWN = re.compile(
    r'(?P<start><div class="math[^"]*" id="equation-(?P<label>eq-[a-z0-9-]+)">\s*'
    r'<span class="eqno">)\((?P<number>[^)<]+)\)'
)
REFERENCE = re.compile(r'<a class="reference internal" href="[^"#]*#equation-(eq-[a-z0-9-]+)"')
NUMBER = re.compile(r'<span class="nn-number" data-label="(eq-[a-z0-9-]+)">[^<]*</span>')


class Known:
    """What is known of the book's equations while its pages are rendered."""

    def __init__(self, folder: Path) -> None:
        self.displays = ledger.displays(folder)
        self.titles = {
            display.notebook: ledger.title(folder, display.notebook)
            for display in self.displays.values()
        }
        self.mutants = ledger.read_mutants()
        place = os.environ.get("NNBOOK_LEDGER")
        self.ran = ledger.entries(Path(place)) if place else None

    def is_exception(self, label: str) -> bool:
        return self.displays[label].check.startswith("not_executed")

    def mark(self, label: str, number: str) -> str:
        """The mark beside an equation's number, which leads to the cell of its check."""
        if label not in self.displays or not self.displays[label].check:
            return ""
        if self.is_exception(label):
            sign, says = "–", "not executed: see why"
        elif self.ran is None:
            sign, says = "✓", "executed when the outputs of this page were stored; open the check"
        elif label in self.ran:
            sign, says = "✓", "executed in this build; open the check"
        else:
            return ""
        text = escape(f"Equation {number}: {says}")
        return (
            f'<a class="nn-ran" href="#check-{label}" title="{text}" aria-label="{text}">{sign}</a>'
        )


def known(app: Sphinx) -> Known:
    if not hasattr(app, "_nnbook_known"):
        app._nnbook_known = Known(Path(app.srcdir))  # type: ignore[attr-defined]
    return app._nnbook_known  # type: ignore[attr-defined, no-any-return]


def wrapped(latex: str) -> str:
    """LaTeX as Sphinx sets it: lines of their own need an environment around them."""
    return rf"\begin{{split}}{latex}\end{{split}}" if r"\\" in latex else latex


def mark_page(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Put marks beside the numbers, numbers on the checks, and the LaTeX of what is cited."""
    body = context.get("body")
    if not body or app.builder.format != "html":
        return
    about = known(app)
    numbers: dict[str, str] = {}

    def marked(match: re.Match[str]) -> str:
        numbers[match["label"]] = match["number"]
        return f"{match['start']}({match['number']}){about.mark(match['label'], match['number'])}"

    body = SHOWN.sub(marked, body)
    body = NUMBER.sub(
        lambda match: f"({numbers[match[1]]})" if match[1] in numbers else match[1], body
    )
    cited = [label for label in dict.fromkeys(REFERENCE.findall(body)) if label in about.displays]
    if cited:
        latex = {label: wrapped(about.displays[label].latex) for label in cited}
        data = json.dumps(latex, ensure_ascii=False).replace("<", r"\u003c")
        body += f'\n<script type="application/json" id="nn-equations">{data}</script>\n'
        if not app.env.get_domain("math").has_equations(page):  # type: ignore[attr-defined]
            # Sphinx loads MathJax on pages with mathematics of their own; here it is for hovering.
            settings = json.dumps(app.config.mathjax3_config or {})
            app.add_js_file(None, body=f"window.MathJax = {settings}")
            app.add_js_file(app.config.mathjax_path, defer="defer")
    context["body"] = body


# ---- the ledger ---------------------------------------------------------------------------------


def code(text: str) -> str:
    """Code in a cell of a Markdown table."""
    text = " ".join(text.split()).replace("|", r"\|")
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}"


def mutants_cell(about: Known, display: ledger.Display) -> str:
    """How many mutants were tried and caught, if that was with today's LaTeX."""
    item = about.mutants.get(display.label)
    if item is None:
        return "not tried"
    if item.digest != ledger.digest(display.latex):
        return "not tried since the display changed"
    rest = f", {len(item.equivalent)} equivalent" if item.equivalent else ""
    rest += f", {len(item.missed)} missed" if item.missed else ""
    return f"{item.caught} of {item.tried}{rest}"


def counts(about: Known, shown: list[ledger.Display]) -> Counter[str]:
    """What one chapter, or the book, adds up to."""
    count: Counter[str] = Counter(displays=len(shown))
    for display in shown:
        exception = about.is_exception(display.label)
        ran = about.ran is None or display.label in about.ran
        count.update(exceptions=exception, executed=ran and not exception and bool(display.check))
        item = about.mutants.get(display.label)
        if item is not None and item.digest == ledger.digest(display.latex):
            count.update(tried=item.tried, caught=item.caught, equivalent=len(item.equivalent))
    return count


def ledger_text(about: Known, order: list[str]) -> str:
    """The ledger's page, in Markdown, behind its introduction."""
    chapters = {name: [d for d in about.displays.values() if d.notebook == name] for name in order}
    chapters = {name: shown for name, shown in chapters.items() if shown}
    columns = ["displays", "executed", "exceptions", "tried", "caught", "equivalent"]
    lines = []
    if about.ran is None:
        lines += [
            ":::{note}",
            "These pages were rendered from stored outputs: nothing was executed for them.",
            ":::",
            "",
        ]
    lines += [
        "## The count",
        "",
        "| Chapter | Displays | Executed | Exceptions | Mutants | Caught | Equivalent |",
        "|:--|--:|--:|--:|--:|--:|--:|",
    ]
    everything = [display for shown in chapters.values() for display in shown]
    for name, shown in [*chapters.items(), ("", everything)]:
        count = counts(about, shown)
        first = f"{{doc}}`{name}`" if name else "**The book**"
        lines.append(f"| {first} | " + " | ".join(str(count[column]) for column in columns) + " |")
    lines += ["", "## Not executed", ""]
    exceptions = [display for display in everything if about.is_exception(display.label)]
    lines += [
        f"- {{eq}}`{display.label}`: {reason_of(display.check)}" for display in exceptions
    ] or ["None."]
    lines += ["", "## Every equation", ""]
    for name, shown in chapters.items():
        lines += [
            f"### {about.titles[name]}",
            "",
            "| Equation | Mutants caught | Check |",
            "|:--|:--|:--|",
        ]
        for display in shown:
            address = f"{name}.html#check-{display.label}"
            check = f'{code(display.check)} <a href="{address}" aria-label="its cell">↗</a>'
            lines.append(f"| {{eq}}`{display.label}` | {mutants_cell(about, display)} | {check} |")
        lines.append("")
    lines += ["## Equivalent mutants", "", *equivalent_text(everything)]
    return "\n".join(lines)


def reason_of(call: str) -> str:
    """The reason in a call of `not_executed`."""
    return str(ast.literal_eval(ast.parse(call).body[0].value.args[1]))  # type: ignore[attr-defined]


def equivalent_text(displays: list[ledger.Display]) -> list[str]:
    listed = ledger.read_equivalent()
    if not listed:
        return ["None."]
    lines = ["| Equation | Mutant | Why it says the same |", "|:--|:--|:--|"]
    for display in displays:
        for latex, reason in listed.get(display.label, {}).items():
            lines.append(f"| {{eq}}`{display.label}` | {code(latex)} | {reason} |")
    return lines


def write_ledger(app: Sphinx, page: str, source: list[str]) -> None:
    """Put the ledger in its place on its page."""
    if page == "ledger":
        about = known(app)
        order = list(
            dict.fromkeys([*reading_order(app), *(d.notebook for d in about.displays.values())])
        )
        source[0] = source[0].replace("<!-- the ledger -->", ledger_text(about, order))


def reading_order(app: Sphinx) -> list[str]:
    contents = getattr(app.config, "external_site_map", None) or getattr(
        app.env, "external_site_map", None
    )
    return list(contents) if contents else []


# ---- a build without holes ----------------------------------------------------------------------


def refuse_holes(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn, which fails the strict build, of every display that was not executed in this build."""
    about = known(app)
    if about.ran is not None:
        for line in ledger.holes(about.displays, about.ran):
            LOGGER.warning("%s", line)
    for label, (page, _) in env.get_domain("math").equations.items():  # type: ignore[attr-defined]
        if label.startswith("eq-") and label not in about.displays:
            LOGGER.warning(
                "%s: the display %s is in no notebook, and nothing can check it", page, label
            )


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_node(
        Check, html=(visit_check, depart_check), latex=(ignore, ignore), text=(ignore, ignore)
    )
    app.connect("source-read", write_ledger)
    app.connect("doctree-read", mark_checks)
    app.connect("env-check-consistency", refuse_holes)
    app.connect("html-page-context", mark_page, priority=300)
    app.add_js_file("nnbook.js", defer="defer")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
