"""Check a labelled display of the notebook: find it, execute it, enter it into the ledger."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from nnbook.validation.equations import syntax as sx
from nnbook.validation.equations.compare import Equation, check_relation
from nnbook.validation.equations.grammar import EquationError, caret
from nnbook.validation.equations.names import binding_name
from nnbook.validation.equations.values import Quantities, describe

# --- finding the display ---

_DOLLARS = re.compile(r"\$\$(?P<latex>(?:(?!\$\$).)+?)\$\$[ \t]*\((?P<label>[^()\s]+)\)", re.S)
_FENCE = re.compile(
    r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|:{3,})(?P<kind>[^\n`]*)\n"
    r"(?P<body>.*?)^(?P=indent)(?P=fence)[ \t]*$",
    re.S | re.M,
)
_OPTIONS = re.compile(r"\A(?:[ \t]*:[\w-]+:[^\n]*\n)*")
_LABEL = re.compile(r"^[ \t]*:label:[ \t]*(\S+)", re.M)

_read: dict[Path, tuple[tuple[int, int], str, dict[str, str] | None]] = {}


def labelled_displays(markdown: str) -> Iterator[tuple[str, str]]:
    """Yield the label and the LaTeX of every labelled display in a piece of MyST."""
    for match in _FENCE.finditer(markdown):
        kind = match["kind"].strip()
        if kind.startswith("{math}"):
            options = _OPTIONS.match(match["body"])
            head = options[0] if options else ""
            label = _LABEL.search(head)
            if label:
                yield label[1], match["body"][len(head) :].strip()
        elif kind.startswith("{") and not kind.startswith("{code"):
            yield from labelled_displays(match["body"])
    for match in _DOLLARS.finditer(_FENCE.sub("", markdown)):
        yield match["label"], _unquoted(match["latex"]).strip()


def _unquoted(latex: str) -> str:
    """Take the marks of a block quote off."""
    lines = latex.strip().split("\n")
    if all(line.lstrip().startswith(">") for line in lines if line.strip()):
        return "\n".join(
            line.lstrip().removeprefix(">").removeprefix(" ").rstrip(">") for line in lines
        )
    return latex


def find_display(
    label: str, notebook: str | os.PathLike[str] | None = None
) -> tuple[str, Path]:
    """Find the display with a label.

    Parameters
    ----------
    label : str
        As it stands behind the display, `eq-dense-forward`.
    notebook : path, optional
        The notebook to look in.

    Returns
    -------
    str, Path
        The LaTeX and the notebook it stands in.

    Raises
    ------
    EquationError
        When no notebook, or more than one display, has the label.
    """
    found: list[tuple[str, Path]] = []
    for group in _candidates(notebook):
        found = [(latex, path) for path in group if (latex := _lookup(path, label)) is not None]
        if found:
            break
    if not found:
        where = notebook or Path.cwd()
        raise EquationError(
            f"no display is labelled {label}: write $$ … $$ ({label}) and save the notebook "
            f"(looked in {Path(where).name}/)"
        )
    if len({latex for latex, _ in found}) > 1:
        names = ", ".join(path.name for _, path in found)
        raise EquationError(
            f"{names} hold different displays labelled {label}: say which with notebook=…"
        )
    return found[0]


def _candidates(notebook: str | os.PathLike[str] | None) -> Iterator[list[Path]]:
    """Yield groups of notebooks, the likeliest first."""
    if notebook is not None:
        yield [Path(notebook)]
        return
    running = os.environ.get("JPY_SESSION_NAME", "") or _editor_path()
    if running.endswith(".ipynb"):
        yield [path for path in (Path(running), Path(Path(running).name)) if path.is_file()][:1]
    yield sorted(Path.cwd().glob("*.ipynb"))
    yield sorted((Path.cwd() / "nbs").glob("*.ipynb"))


def _editor_path() -> str:
    """Return the path VS Code tells its kernels, if it does."""
    import __main__

    return str(getattr(__main__, "__vsc_ipynb_file__", ""))


def _lookup(path: Path, label: str) -> str | None:
    """Look a label up in one notebook; parsed only when its text holds the label at all."""
    status = path.stat()
    stamp = (status.st_mtime_ns, status.st_size)
    known = _read.get(path)
    if known is None or known[0] != stamp:
        known = (stamp, path.read_text(encoding="utf-8"), None)
        _read[path] = known
    if known[2] is None:
        if label not in known[1]:
            return None
        known = (stamp, "", _displays(path, known[1]))
        _read[path] = known
    displays = known[2]
    return displays.get(label) if displays is not None else None


def _displays(path: Path, text: str) -> dict[str, str]:
    """Collect the labelled displays of a notebook."""
    displays: dict[str, str] = {}
    for cell in json.loads(text)["cells"]:
        if cell["cell_type"] == "markdown":
            source = cell["source"]
            for label, latex in labelled_displays(
                source if isinstance(source, str) else "".join(source)
            ):
                if label in displays:
                    raise EquationError(f"{path.name} has two displays labelled {label}")
                displays[label] = latex
    return displays


@dataclass(frozen=True)
class Checked:
    """An equation that was executed and holds."""

    label: str
    latex: str
    equations: int
    bindings: dict[str, str] = field(default_factory=dict)
    notebook: str = ""
    mutants: dict[str, Any] | None = None
    exception: str = ""

    def __repr__(self) -> str:
        if self.exception:
            return f"{self.label} – not executed: {self.exception}"
        return f"{self.label or 'equation'} ✓"


CHECKED: list[Checked] = []


def check_equation(
    label: str,
    latex_bindings: Mapping[str, Any] | None = None,
    /,
    *,
    after: Mapping[str, Any] | None = None,
    approx: float | None = None,
    notebook: str | os.PathLike[str] | None = None,
    **bindings: Any,
) -> Checked:
    """Execute a labelled display of the notebook with its symbols bound to values.

    Parameters
    ----------
    label : str
        The label behind the display.
    latex_bindings : mapping, optional
        Bindings whose keys are LaTeX, for symbols without a Python name.
    after : mapping, optional
        New values of the symbols to the left of an arrow.
    approx : float, optional
        The relative tolerance of ≈; for an inequality, how close to equality it must come.
    notebook : path, optional
        Where the display stands, when it is not the running notebook.
    **bindings
        The symbols: numbers, arrays, functions, families of arrays, samples.

    Returns
    -------
    Checked
        Shown as the label with a tick.

    Raises
    ------
    EquationError
        When the equation does not hold, or cannot be executed.
    """
    __tracebackhide__ = True
    latex, path = find_display(label, notebook)
    try:
        checked = check_latex(latex, latex_bindings, after=after, approx=approx, **bindings)
    except EquationError as error:
        raise EquationError(f"{label}: {error.message}", error.span) from None
    checked = replace(checked, label=label, notebook=path.name)
    if os.environ.get("NNBOOK_MUTANTS"):
        from nnbook.validation.equations.mutants import summary

        checked = replace(
            checked,
            mutants=summary(latex, latex_bindings, after=after, approx=approx, **bindings),
        )
    _enter(checked)
    return checked


def check_latex(
    latex: str,
    latex_bindings: Mapping[str, Any] | None = None,
    /,
    *,
    after: Mapping[str, Any] | None = None,
    approx: float | None = None,
    **bindings: Any,
) -> Checked:
    """Execute a display given as LaTeX; see `check_equation`.

    Examples
    --------
    >>> check_latex(r"c^2 = a^2 + b^2", a=3, b=4, c=5)
    equation ✓
    """
    __tracebackhide__ = True
    quantities: Quantities | None = None
    try:
        quantities = quantities_of(latex_bindings, after, bindings)
        relations = sx.parse_display(latex)
        for relation in relations:
            check_relation(Equation(quantities, relation, approx))
        _refuse_unused(quantities)
    except EquationError as error:
        raise EquationError(_explain(error, latex, quantities), error.span) from None
    except Exception as error:
        message = f"this display cannot be executed: {type(error).__name__}: {error}"
        raise EquationError(_explain(EquationError(message), latex, quantities)) from error
    shown = {name: describe(value) for name, value in quantities.values.items()}
    return Checked("", latex, len(relations), shown)


def not_executed(
    label: str, reason: str, /, *, notebook: str | os.PathLike[str] | None = None
) -> Checked:
    """Enter a display that cannot be executed into the ledger, with the reason.

    Parameters
    ----------
    label : str
        The label behind the display.
    reason : str
        Why it cannot be executed, in one sentence.
    notebook : path, optional
        Where the display stands, when it is not the running notebook.
    """
    latex, path = find_display(label, notebook)
    if not reason.strip():
        raise EquationError(f"{label}: a display that is not executed needs a reason")
    exception = Checked(label, latex, 0, notebook=path.name, exception=reason)
    _enter(exception)
    return exception


def quantities_of(
    latex_bindings: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    bindings: Mapping[str, Any],
) -> Quantities:
    """Bring the bindings of a check together."""
    return Quantities(_merged(latex_bindings, bindings), _named(after or {}))


def _merged(
    latex_bindings: Mapping[str, Any] | None, bindings: Mapping[str, Any]
) -> dict[str, Any]:
    """Put both kinds of bindings under Python names."""
    merged = dict(bindings)
    for name, value in _named(latex_bindings or {}).items():
        if name in merged:
            raise EquationError(f"{name} is bound twice")
        merged[name] = value
    return merged


def _named(bindings: Mapping[str, Any]) -> dict[str, Any]:
    """Translate LaTeX keys into Python names."""
    return {binding_name(key): value for key, value in bindings.items()}


def _refuse_unused(quantities: Quantities) -> None:
    unused = quantities.unused()
    if unused:
        raise EquationError(
            f"bound but not in the display: {', '.join(unused)}. Leave out what the equation "
            "does not use"
        )


def _explain(error: EquationError, latex: str, quantities: Quantities | None) -> str:
    """Add the display, with carets, and the bindings to a message."""
    lines = [error.message, caret(latex, error.span)]
    if quantities is not None and quantities.values:
        lines.append(
            "  with "
            + ", ".join(
                f"{name}: {describe(value)}" for name, value in quantities.values.items()
            )
        )
    return "\n".join(lines)


def _enter(checked: Checked) -> None:
    """Enter a check into the record of this process, and into the ledger when there is one."""
    CHECKED.append(checked)
    ledger = os.environ.get("NNBOOK_LEDGER")
    if ledger:
        folder = Path(ledger)
        folder.mkdir(parents=True, exist_ok=True)
        line = json.dumps(asdict(checked), ensure_ascii=False, sort_keys=True)
        with open(folder / f"checks-{os.getpid()}.jsonl", "a", encoding="utf-8") as file:
            file.write(line + "\n")
