"""Executes notebooks, several at a time, each in a fresh kernel.

    python _ext/run_notebooks.py --store nbs/*.ipynb   store the outputs, as nbdev leaves them
    python _ext/run_notebooks.py nbs/*.ipynb           leave the notebooks alone

Exits with 1 if a cell raises, after showing the cell and its traceback.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT = 300  # seconds a cell may take
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def cleaned(notebook: nbformat.NotebookNode) -> str:
    """The text of `notebook` as `nbdev_clean` leaves it."""
    from nbdev.clean import clean_nb
    from nbdev.config import get_config

    config = get_config(path=ROOT)
    content = json.loads(nbformat.writes(notebook))
    clean_nb(
        content,
        allowed_cell_metadata_keys=config.allowed_cell_metadata_keys.split(),
        clean_ids=config.clean_ids,
    )
    return json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def execute(path: Path) -> tuple[nbformat.NotebookNode, str]:
    """Execute the notebook at `path` in its folder; return it and what went wrong, if anything."""
    notebook = nbformat.read(path, as_version=4)
    # Without coalescing, how printed text is cut into outputs would depend on the kernel's timing.
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        coalesce_streams=True,
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        return notebook, ANSI.sub("", str(error))
    except (CellTimeoutError, DeadKernelError) as error:
        return notebook, f"{type(error).__name__}: {error}"
    return notebook, ""


def work(path: Path, store: bool) -> bool:
    """Execute one notebook, say how it went, and store its outputs if asked to."""
    start = time.perf_counter()
    notebook, wrong = execute(path)
    print(
        f"{'FAILED' if wrong else 'ok':>8} {time.perf_counter() - start:6.1f} s  {path.name}",
        flush=True,
    )
    if wrong:
        print(wrong, file=sys.stderr, flush=True)
        return False
    if store:
        partial = path.with_suffix(".partial")
        partial.write_text(cleaned(notebook), encoding="utf-8", newline="\n")
        os.replace(partial, path)
    return True


def run(paths: list[Path], jobs: int, store: bool) -> bool:
    """Execute `paths`, `jobs` at a time; true if every cell of every notebook ran."""
    # The work is done in the kernels' processes: threads suffice to wait for them.
    with ThreadPoolExecutor(jobs) as pool:
        return all(list(pool.map(lambda path: work(path, store), paths)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--store", action="store_true")
    args = parser.parse_args()
    paths = [path.resolve() for path in args.notebooks]
    return 0 if run(paths, args.jobs, args.store) else 1


if __name__ == "__main__":
    sys.exit(main())
