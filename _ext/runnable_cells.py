"""Lets the reader run the code cells where they stand, in the browser.

Beside the pages of the notebooks lies what `run.js` fetches on the reader's first click, and not
before: each notebook without its outputs, hidden cells included, and the wheel of this very build.
Pyodide, the Python that runs in the browser, comes from the address in `_config.yml`; where that is
a folder, it is copied into the site:

    make book PYODIDE=https://example.org/pyodide/
    make book PYODIDE=../pyodide
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ConfigError

from nnbook_site import ROOT, read_notebook

# What the wheel of the package is built from.
SOURCES = (
    "nnbook",
    "setup.py",
    "settings.ini",
    "pyproject.toml",
    "MANIFEST.in",
    "LICENSE",
    "README.md",
)
# Pure Python that the notebooks import and that Pyodide's folder lacks.
PURE_PYTHON = ("lark",)
# What a page loads of Pyodide, by the packages that it asks for.
CORE = ("pyodide.mjs", "pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip")
LOCK = "pyodide-lock.json"
PACKAGES = ("numpy", "matplotlib")
# What a page says that the reader is about to load where Pyodide is on another host: its files for
# these packages, in bytes, in release 0.27.7.
USUAL_SIZE = 26_700_000
PLACE = "run"  # in the site's `_static`
RUNS_PYTHON = ("nn-cell-", "nn-playground")  # what a page has that does

# ---- cells --------------------------------------------------------------------------------------


def notebook_of(app: Sphinx, page: str) -> nbformat.NotebookNode | None:
    """The notebook behind a page, as the page shows it, without outputs."""
    path = Path(app.env.doc2path(page))
    if path.suffix != ".ipynb":
        return None
    known = notebooks(app)
    if page not in known:
        notebook = read_notebook(path.read_text(encoding="utf-8"))
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        known[page] = notebook
    return known[page]


def notebooks(app: Sphinx) -> dict[str, nbformat.NotebookNode]:
    if not hasattr(app, "_nnbook_notebooks"):
        app._nnbook_notebooks = {}  # type: ignore[attr-defined]
    return app._nnbook_notebooks  # type: ignore[attr-defined, no-any-return]


def number_cells(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Mark every cell that is seen with its place among all code cells, counted from 1."""
    notebook = notebook_of(app, page)
    if notebook is None:
        return
    code = [index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    numbers = {index: number for number, index in enumerate(code, 1)}
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") == "cell_code":
            cell["classes"].append(f"nn-cell-{numbers[cell['cell_index']]}")


# ---- wheels -------------------------------------------------------------------------------------


def start_wheel(app: Sphinx) -> None:
    """Start building the wheel of the package, from a copy, while the pages are read."""
    if app.builder.format != "html":
        return
    folder = Path(tempfile.mkdtemp())
    sources = folder / "sources"
    sources.mkdir()
    for path in (ROOT / name for name in SOURCES):
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, sources / path.name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    process = subprocess.Popen(
        [*command, str(sources)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    app._nnbook_wheel = (folder, process)  # type: ignore[attr-defined]


def repacked(name: str, folder: Path) -> Path:
    """The wheel of an installed distribution of pure Python, made of its installed files."""
    found = distribution(name)
    path = folder / f"{found.name}-{found.version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for file in sorted(found.files or (), key=str):
            if file.suffix != ".pyc" and ".." not in file.parts:
                content = Path(str(found.locate_file(file))).read_bytes()
                wheel.writestr(zipfile.ZipInfo(file.as_posix()), content, zipfile.ZIP_DEFLATED)
    return path


def wheels(app: Sphinx) -> list[Path]:
    """All wheels that a page installs, in the site."""
    target = Path(app.outdir, "_static", PLACE)
    if not hasattr(app, "_nnbook_wheels"):
        folder, process = app._nnbook_wheel  # type: ignore[attr-defined]
        said, _ = process.communicate()
        if process.returncode:
            raise ConfigError(f"the package's wheel could not be built:\n{said}")
        target.mkdir(parents=True, exist_ok=True)
        built = [*folder.glob("*.whl"), *(repacked(name, folder) for name in PURE_PYTHON)]
        app._nnbook_wheels = [Path(shutil.copy(path, target)) for path in built]  # type: ignore[attr-defined]
        shutil.rmtree(folder)
    return app._nnbook_wheels  # type: ignore[attr-defined, no-any-return]


# ---- Pyodide ------------------------------------------------------------------------------------


def pyodide_folder(app: Sphinx) -> Path | None:
    """The folder that Pyodide is copied from; None where it comes from another host."""
    if "://" in app.config.pyodide:
        return None
    folder = (ROOT / app.config.pyodide).resolve()
    missing = [name for name in (*CORE, LOCK) if not (folder / name).is_file()]
    if missing:
        raise ConfigError(f"PYODIDE: {folder} has no {', '.join(missing)}")
    return folder


def pyodide_files(folder: Path) -> list[Path]:
    """The files of Pyodide that a cell needs: its core, and packages with what these need."""
    packages = json.loads((folder / LOCK).read_text(encoding="utf-8"))["packages"]
    wanted, waiting = set(), list(PACKAGES)
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += packages[name]["depends"]
    files = [*CORE, LOCK, *(packages[name]["file_name"] for name in sorted(wanted))]
    return [folder / name for name in files]


# ---- pages --------------------------------------------------------------------------------------


def versioned(path: Path, content: bytes) -> str:
    """The address of a file, from `_static`, that changes when the file does."""
    return f"{PLACE}/{path.name}?v={hashlib.sha256(content).hexdigest()[:8]}"


def settings(app: Sphinx, page: str) -> dict[str, Any]:
    """What the scripts of a page need to know; addresses are relative to `_static`."""
    folder = pyodide_folder(app)
    address = f"{PLACE}/pyodide/" if folder else app.config.pyodide.rstrip("/") + "/"
    size = sum(path.stat().st_size for path in pyodide_files(folder)) if folder else USUAL_SIZE
    said = {
        "pyodide": address,
        "wheels": [versioned(path, path.read_bytes()) for path in wheels(app)],
        "size": size + sum(path.stat().st_size for path in wheels(app)),
    }
    notebook = notebook_of(app, page)
    if notebook is not None:
        said["notebook"] = versioned(Path(f"{page}.ipynb"), nbformat.writes(notebook).encode())
    return said


def add_scripts(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Say where everything is on the pages that run Python, and give their cells buttons."""
    body = context.get("body", "")
    if app.builder.format != "html" or not any(name in body for name in RUNS_PYTHON):
        return
    data = json.dumps(settings(app, page))
    context["body"] = body + f'\n<script type="application/json" id="nn-python">{data}</script>\n'
    if "nn-cell-" in body:
        app.add_css_file("run.css")
        app.add_js_file("run.js", defer="defer")


def write_files(app: Sphinx, error: Exception | None) -> None:
    """Put what the reader's first click fetches into the site."""
    if error or app.builder.format != "html":
        return
    target = Path(app.outdir, "_static", PLACE)
    for page, notebook in notebooks(app).items():
        (target / f"{page}.ipynb").write_text(nbformat.writes(notebook), encoding="utf-8")
    folder = pyodide_folder(app)
    if folder:
        (target / "pyodide").mkdir(exist_ok=True)
        for path in pyodide_files(folder):
            shutil.copyfile(path, target / "pyodide" / path.name)


def configure(app: Sphinx, config: Any) -> None:
    config.pyodide = os.environ.get("PYODIDE") or config.pyodide


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("pyodide", "", "html", str)
    app.connect("config-inited", configure)
    app.connect("builder-inited", start_wheel)
    app.connect("doctree-resolved", number_cells)
    app.connect("html-page-context", add_scripts, priority=400)
    app.connect("build-finished", write_files)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": False}
