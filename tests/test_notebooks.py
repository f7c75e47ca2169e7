"""The notebooks are the source of truth: the package is what they export, and they read well."""

import ast
import importlib
import inspect
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

import nnbook
from run_notebooks import cleaned

ROOT = Path(__file__).resolve().parent.parent
NBS = ROOT / "nbs"
PACKAGE = ROOT / "nnbook"
NOTEBOOKS = sorted(NBS.glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)

# Re-exports, and `python -m nnbook`, are written by hand; all else must come out of a notebook.
BY_HAND = ("__init__.py", "__main__.py")
EXPORT_MARK = re.compile(r"^# %% (?:\.\./)+nbs/(\w+)\.ipynb #", re.MULTILINE)
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|root|tmp|Users|work|opt|var)/\w|\b[A-Z]:\\\\")


def chapters() -> list[str]:
    """The documents of the book in the order of reading."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [toc["root"]] + [
        chapter["file"] for part in toc["parts"] for chapter in part["chapters"]
    ]


def modules() -> dict[str, Path]:
    """Every module that a notebook exports, by its dotted name."""
    unlike = (*BY_HAND, "_modidx.py")
    paths = [path for path in PACKAGE.rglob("*.py") if path.name not in unlike]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}


def home(path: Path) -> str:
    """The one notebook that exports the module at `path`."""
    homes = set(EXPORT_MARK.findall(path.read_text(encoding="utf-8")))
    assert len(homes) == 1, f"{path.name} is exported from {sorted(homes) or 'no notebook'}"
    return homes.pop()


def imports(tree: ast.AST, module: str) -> list[str]:
    """The dotted names that the code in `tree` imports; `module` is where relative ones start."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: -node.level] if node.level else []
            start = ".".join(base + ([node.module] if node.module else []))
            names += [f"{start}.{alias.name}" for alias in node.names]
    return names


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


# ---- package and notebooks ---------------------------------------------------------------------


def test_package_is_what_the_notebooks_export(tmp_path):
    shutil.copy(ROOT / "settings.ini", tmp_path)
    shutil.copytree(NBS, tmp_path / "nbs")
    for path in PACKAGE.rglob("__*__.py"):
        assert path.name in BY_HAND
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    export = "from nbdev.doclinks import nbdev_export; nbdev_export()"
    subprocess.run([sys.executable, "-c", export], cwd=tmp_path, check=True)

    def files(root):
        paths = (root / "nnbook").rglob("*.py")
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}

    exported, kept = files(tmp_path), files(ROOT)
    assert sorted(kept) == sorted(exported), (
        "modules without a notebook, or not exported: run make export"
    )
    stale = [name for name in kept if kept[name] != exported[name]]
    assert not stale, f"not what the notebooks say: {stale}: run make export"


def test_every_module_has_one_home():
    homes = {name: home(path) for name, path in modules().items()}
    assert homes
    assert set(homes.values()) <= set(chapters())


def source(imported: str, chapter: dict[str, int]) -> int:
    """The chapter that `imported`, a dotted name of the package, comes from."""
    if imported in chapter:
        return chapter[imported]
    owner, _, name = imported.rpartition(".")
    if owner in chapter:
        return chapter[owner]
    value = getattr(importlib.import_module(owner), name) if owner else nnbook
    if getattr(value, "__module__", None) in chapter:
        return chapter[value.__module__]
    # Of a whole package, or a value that does not tell, all modules of the package may be needed.
    package = imported if inspect.ismodule(value) else owner
    return max((k for m, k in chapter.items() if m.startswith(f"{package}.")), default=0)


def test_imports_point_backwards():
    order = {name: number for number, name in enumerate(chapters())}
    chapter = {name: order[home(path)] for name, path in modules().items()}
    wrong = []
    for name, path in modules().items():
        for imported in imports(ast.parse(path.read_text(encoding="utf-8")), name):
            if imported.partition(".")[0] != "nnbook" or imported == "nnbook.__version__":
                continue
            # A notebook may export several modules: they may use each other.
            if source(imported, chapter) > chapter[name]:
                wrong.append(f"{name} ({home(path)}) imports {imported} of a later chapter")
    assert not wrong, "\n".join(wrong)


def test_numpy_is_all_that_computes():
    def pure(name):
        return (
            name.startswith(("nnbook.core.", "nnbook.network."))
            or name == "nnbook.validation.gradient_check"
        )

    allowed = {*sys.stdlib_module_names, "numpy", "nnbook"}
    for name, path in modules().items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        definitions = (ast.FunctionDef, ast.ClassDef)
        top = ast.Module([node for node in tree.body if not isinstance(node, definitions)], [])
        if pure(name):
            found = {imported.partition(".")[0] for imported in imports(top, name)} - allowed
            assert not found, f"{name} imports {found}"
        if name != "nnbook.utils.visualization":
            drawn = [
                imported for imported in imports(tree, name) if imported.startswith("matplotlib")
            ]
            assert not drawn, f"{name} imports matplotlib"


# ---- the notebooks themselves ------------------------------------------------------------------


def test_contents_and_files_agree():
    listed = chapters()
    assert len(listed) == len(set(listed))
    files = {path.stem for path in NBS.iterdir() if path.suffix in (".ipynb", ".md")}
    assert set(listed) == files


@each_notebook
def test_notebook_is_clean(path):
    text = path.read_text(encoding="utf-8")
    assert text == cleaned(nbformat.reads(text, as_version=4)), "run make notebooks, or nbdev_clean"


@each_notebook
def test_notebook_names_no_machine(path):
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        outputs = cell.get("outputs", ())
        texts = [o.get("text", "") or o.get("data", {}).get("text/plain", "") for o in outputs]
        for text in map("".join, [cell["source"], *texts]):
            found = MACHINE_PATH.search(text)
            assert not found, f"cell {cell['id']}: {found[0]!r} in {text[:200]!r}"


@each_notebook
def test_notebook_does_not_export_itself(path):
    # Jupyter Book and nbval would run such a cell, and rewrite the package under the tests' feet.
    assert not [cell.id for cell in code_cells(path) if "nbdev_export" in cell.source]


@each_notebook
def test_notebook_was_executed(path):
    """Where a cell plainly shows something, its output is stored; none stores a warning."""
    for cell in code_cells(path):
        tree = ast.parse(
            "\n".join(line for line in cell.source.splitlines() if not line.startswith(("%", "!")))
        )
        values = [node.value for node in tree.body if isinstance(node, ast.Expr)]
        called = [value.func for value in values if isinstance(value, ast.Call)]
        prints = any(isinstance(func, ast.Name) and func.id == "print" for func in called)
        last = tree.body[-1] if tree.body else None
        shown = (ast.Name, ast.BinOp, ast.Tuple, ast.Subscript)
        shows = isinstance(last, ast.Expr) and isinstance(last.value, shown)
        if prints or (shows and not cell.source.rstrip().endswith(";")):
            assert cell.outputs, (
                f"cell {cell.id} shows something, but no output is stored: run make notebooks"
            )
        for output in cell.outputs:
            assert output.output_type != "error" or "raises-exception" in cell.metadata.get(
                "tags", []
            ), cell.id
            assert output.get("name") != "stderr", (
                f"cell {cell.id} writes to stderr: {output.text[:200]}"
            )
