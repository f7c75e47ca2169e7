"""Builds the site in _build/html: executes a copy of the notebooks, then renders it strictly.

    python _ext/build_book.py [--jobs 2]

Nothing of an earlier build is reused, so what the pages show was computed just now. To execute
before rendering, rather than while, is what lets several notebooks run at once.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time

import yaml

import equation_ledger
from run_notebooks import ROOT, run

BUILD = ROOT / "_build"
PAGES = BUILD / "pages"
LEDGER = BUILD / "ledger"  # what the checks of this build write down, and the pages show


def chapters() -> list[str]:
    """The documents that _toc.yml names, in its order."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [toc["root"]] + [
        chapter["file"] for part in toc["parts"] for chapter in part["chapters"]
    ]


def ledger_is_whole() -> bool:
    """Tell whether every display of the book was executed just now, and say which was not."""
    stated = equation_ledger.displays(PAGES, chapters())
    ran = equation_ledger.entries(LEDGER)
    wrong = equation_ledger.holes(stated, ran)
    print("\n".join(wrong), end="\n" if wrong else "", file=sys.stderr)
    executed = sum(entry.executed for entry in ran.values())
    exceptions = len(ran) - executed
    seconds = sum(entry.seconds for entry in ran.values())
    counts = f"{len(stated)} displays, {executed} executed, {exceptions} exceptions"
    print(f"{counts}, {seconds:.1f} s of evaluation", flush=True)
    return not wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    jobs = parser.parse_args().jobs
    start = time.perf_counter()

    shutil.rmtree(BUILD, ignore_errors=True)
    shutil.copytree(ROOT / "nbs", PAGES, ignore=shutil.ignore_patterns(".*"))
    notebooks = [
        PAGES / f"{name}.ipynb" for name in chapters() if (PAGES / f"{name}.ipynb").exists()
    ]
    os.environ["NNBOOK_LEDGER"] = str(LEDGER)
    os.environ.pop("NNBOOK_MUTANTS", None)
    print(f"Executing {len(notebooks)} notebooks, {jobs} at a time", flush=True)
    if not run(notebooks, jobs, store=True):
        print("A notebook failed, so there is no site.", file=sys.stderr)
        return 1
    if not ledger_is_whole():
        return 1

    print("Rendering", flush=True)
    jupyter_book = "from jupyter_book.cli.main import main; main()"
    command = [
        sys.executable,
        "-c",
        jupyter_book,
        "build",
        str(PAGES),
        "-W",
        "--keep-going",
        "-n",
        "-q",
    ]
    command += [
        "--config",
        str(ROOT / "_config.yml"),
        "--toc",
        str(ROOT / "_toc.yml"),
        "--path-output",
        str(ROOT),
    ]
    status = subprocess.run(
        command, env={**os.environ, "NNBOOK_EXECUTED": "1"}, cwd=ROOT
    ).returncode
    if status:
        return status
    index = BUILD / "html" / "index.html"
    print(f"Done in {time.perf_counter() - start:.0f} s. Open {index.as_uri()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
