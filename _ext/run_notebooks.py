"""Executes notebooks, a process each, every one from a fresh kernel.

    python _ext/run_notebooks.py --store nbs/*.ipynb    execute in place and store clean outputs
    python _ext/run_notebooks.py nbs/*.ipynb            execute and throw the outputs away
"""

import argparse
import os
import re
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT = 300  # seconds a cell may take
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def execute(path: Path, cwd: Path):
    """The notebook at `path`, executed with `cwd` as working directory, and the seconds that took."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    start = time.perf_counter()
    client = NotebookClient(notebook, timeout=TIMEOUT, kernel_name="python3", resources={"metadata": {"path": str(cwd)}})
    client.execute()
    return notebook, time.perf_counter() - start


def store(notebook, path: Path) -> None:
    """Write `notebook` in the form nbdev_clean gives it, in one step."""
    from execnb.nbio import dict2nb, nb2str
    from nbdev.clean import clean_nb
    from nbdev.config import get_config
    from nbformat import NotebookNode
    from nbformat.v4 import to_notebook_json  # noqa: F401  (registers nothing; documents the version written)

    del NotebookNode
    raise NotImplementedError
