"""Where a label's display stands: in the notebook's own source.

A display is labelled in MyST, behind its closing dollars or in a `math` directive::

    $$
    Z = X W + b
    $$ (eq-dense-forward)

The notebook is the one that is running, when the kernel says which; otherwise the one in the
current directory, or in `nbs/`, that holds the label.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from nnbook.validation.equations.messages import EquationError

__all__ = ["find_display", "labelled_displays"]

_DOLLARS = re.compile(r"\$\$(?P<latex>(?:(?!\$\$).)+?)\$\$[ \t]*\((?P<label>[^()\s]+)\)", re.S)
_FENCE = re.compile(
    r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|:{3,})(?P<kind>[^\n`]*)\n(?P<body>.*?)^(?P=indent)(?P=fence)[ \t]*$", re.S | re.M
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
        return "\n".join(line.lstrip().removeprefix(">").removeprefix(" ").rstrip(">") for line in lines)
    return latex


def find_display(label: str, notebook: str | os.PathLike[str] | None = None) -> tuple[str, Path]:
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
        raise EquationError(f"no display is labelled {label}: write $$ … $$ ({label}) and save the notebook (looked in {Path(where).name}/)")
    if len({latex for latex, _ in found}) > 1:
        names = ", ".join(path.name for _, path in found)
        raise EquationError(f"{names} hold different displays labelled {label}: which one is meant? pass notebook=…")
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
            for label, latex in labelled_displays(source if isinstance(source, str) else "".join(source)):
                if label in displays:
                    raise EquationError(f"{path.name} has two displays labelled {label}")
                displays[label] = latex
    return displays
