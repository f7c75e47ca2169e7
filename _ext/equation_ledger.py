"""What the book states, what of it was executed, and how well the checks bite.

Displays are read from the notebooks, with the reader that the checks themselves use. What ran is
read from the ledger: one line that `check_equation` and `not_executed` wrote for each of their
calls while the environment variable NNBOOK_LEDGER named a folder. What is known of mutants is read
from tests/mutants.json, which `make mutants` writes.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from nnbook.validation.equations.check import labelled_displays

ROOT = Path(__file__).resolve().parent.parent
MUTANTS = ROOT / "tests" / "mutants.json"
EQUIVALENT = ROOT / "tests" / "equivalent_mutants.yml"
CHECKS = ("check_equation", "not_executed")


def normal(latex: str) -> str:
    """LaTeX without what its layout adds: two spellings of this are one display."""
    return re.sub(r"\s+", " ", latex).strip()


def digest(latex: str) -> str:
    """A short name for a display's LaTeX, which changes when the display does."""
    return hashlib.sha256(normal(latex).encode()).hexdigest()[:16]


# ---- what the notebooks say ---------------------------------------------------------------------


@dataclass
class Display:
    """One labelled display of the book.

    Attributes
    ----------
    label, latex : str
        As they stand on the page.
    notebook : str
        The stem of its notebook.
    check : str
        The source of the call that checks it, or says why it is not executed; empty without one.
    cell : str
        The id of the cell with that call.
    """

    label: str
    latex: str
    notebook: str
    check: str = ""
    cell: str = ""


def source_of(cell: dict[str, Any]) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def is_check(node: ast.AST) -> bool:
    """Tell whether a piece of code is a call of `check_equation` or `not_executed`."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in CHECKS
        and bool(node.args)
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    )


def calls(source: str) -> Iterator[tuple[str, str]]:
    """Yield the label and the source of every check in a code cell."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a cell with IPython's own syntax
        return
    for node in ast.walk(tree):
        if is_check(node):
            yield node.args[0].value, ast.get_source_segment(source, node) or ""  # type: ignore[attr-defined]


def displays(folder: Path, names: list[str] | None = None) -> dict[str, Display]:
    """All labelled displays in the notebooks of `folder`, in the order of the book, by label."""
    paths = (
        [folder / f"{name}.ipynb" for name in names] if names else sorted(folder.glob("*.ipynb"))
    )
    found: dict[str, Display] = {}
    checks: dict[str, tuple[str, str]] = {}
    for path in paths:
        if not path.exists():
            continue
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            source = source_of(cell)
            if cell["cell_type"] == "markdown":
                for label, latex in labelled_displays(source):
                    if label in found:
                        raise ValueError(
                            f"{path.name}: {label} also labels a display of {found[label].notebook}"
                        )
                    found[label] = Display(label, latex, path.stem)
            elif cell["cell_type"] == "code" and any(name in source for name in CHECKS):
                for label, call in calls(source):
                    checks.setdefault(label, (call, cell.get("id", "")))
    for label, (call, cell_id) in checks.items():
        if label in found:
            found[label].check, found[label].cell = call, cell_id
    return found


def title(folder: Path, name: str) -> str:
    """The title of a notebook: its first heading."""
    for cell in json.loads((folder / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]:
        match = (
            re.search(r"^# (.+)$", source_of(cell), re.MULTILINE)
            if cell["cell_type"] == "markdown"
            else None
        )
        if match:
            return match[1].strip()
    return name


# ---- what ran -----------------------------------------------------------------------------------


@dataclass
class Entry:
    """What the ledger holds on one label: the LaTeX that was executed, and what came of it.

    `seconds` is the processor's time for all checks of the display.
    """

    label: str
    latex: str
    exception: str = ""
    tried: int = 0
    missed: list[dict[str, str]] | None = None
    seconds: float = 0.0

    @property
    def executed(self) -> bool:
        return not self.exception


def entries(folder: Path) -> dict[str, Entry]:
    """The ledger that a run of the notebooks left in `folder`, by label.

    Where a display is checked more than once, a mutant is missed when all of the checks miss it.
    """
    found: dict[str, Entry] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            mutants = record["mutants"]
            entry = Entry(record["label"], record["latex"], record["exception"])
            if mutants:
                entry.tried, entry.missed = mutants["tried"], mutants["missed"]
            before = found.setdefault(entry.label, entry)
            before.seconds += record.get("seconds", 0.0)
            if before is not entry and before.missed is not None and entry.missed is not None:
                both = {normal(mutant["latex"]) for mutant in entry.missed}
                before.missed = [
                    mutant for mutant in before.missed if normal(mutant["latex"]) in both
                ]
    return found


def holes(stated: dict[str, Display], ran: dict[str, Entry]) -> list[str]:
    """Every way in which the displays and what really ran do not hold together."""
    wrong = []
    for label, display in stated.items():
        entry = ran.get(label)
        if entry is None:
            wrong.append(f"{display.notebook}: {label} is stated, and nothing executed it")
        elif normal(entry.latex) != normal(display.latex):
            wrong.append(
                f"{display.notebook}: {label} was executed with other LaTeX than the page has"
            )
    wrong += [
        f"{label} was checked, and no display has this label"
        for label in ran
        if label not in stated
    ]
    return wrong


# ---- how well the checks bite -------------------------------------------------------------------


@dataclass
class Mutants:
    """What is known about the mutants of one display.

    Attributes
    ----------
    digest : str
        Of the LaTeX whose mutants these are.
    tried, caught : int
        How many there are, and on how many the check failed.
    equivalent : list of str
        The missed mutants that say the same as the display.
    missed : list of str
        The others.
    """

    digest: str
    tried: int
    caught: int
    equivalent: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)


def read_mutants(path: Path = MUTANTS) -> dict[str, Mutants]:
    """The result of `make mutants`, by label; empty where there is none."""
    if not path.exists():
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    return {label: Mutants(**item) for label, item in content.items()}


def write_mutants(result: dict[str, Mutants], path: Path = MUTANTS) -> None:
    """Write one line a display, so that a change of one is a change of one line."""
    lines = [
        f"{json.dumps(label)}: {json.dumps(vars(result[label]), ensure_ascii=False)}"
        for label in sorted(result)
    ]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8", newline="\n")


def read_equivalent(path: Path = EQUIVALENT) -> dict[str, dict[str, str]]:
    """The list of equivalent mutants: label, LaTeX of the mutant, reason."""
    content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    listed: dict[str, dict[str, str]] = {}
    for label, items in content.items():
        for item in items:
            reason = item["reason"].strip()
            if not reason:
                raise ValueError(f"{label}: an equivalent mutant needs a reason")
            for latex in item["mutants"]:
                listed.setdefault(label, {})[normal(latex)] = reason
    return listed


def judge(entry: Entry, listed: dict[str, str]) -> tuple[Mutants, list[str]]:
    """Sort the missed mutants of a display; name what is listed without being missed."""
    missed = [normal(mutant["latex"]) for mutant in entry.missed or ()]
    result = Mutants(
        digest(entry.latex),
        entry.tried,
        entry.tried - len(missed),
        [latex for latex in missed if latex in listed],
        [latex for latex in missed if latex not in listed],
    )
    return result, [latex for latex in listed if latex not in missed]
