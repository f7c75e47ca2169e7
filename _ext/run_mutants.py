"""Changes every display of the book, one sign at a time, and runs its check on each of the changes.

    python _ext/run_mutants.py [--jobs 2] [--stale] [nbs/05_layer.ipynb …]

With --stale, only notebooks with a display that changed since its mutants were tried are run.
Prints a table, writes tests/mutants.json, and exits with 1 when a chapter's checks catch fewer
than 99 in 100 of the mutants that say something else than the display. Mutants that say the same
are listed in tests/equivalent_mutants.yml; one that is listed and caught is an error, too.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections import Counter
from pathlib import Path

import equation_ledger as ledger
import run_notebooks
from run_notebooks import ROOT

BUILD = ROOT / "_build" / "mutants"
ENOUGH = 0.99


def tried(notebooks: list[Path], jobs: int) -> dict[str, ledger.Entry]:
    """Execute the notebooks, and store nothing, with every check trying its mutants."""
    shutil.rmtree(BUILD, ignore_errors=True)
    os.environ |= {"NNBOOK_LEDGER": str(BUILD / "ledger"), "NNBOOK_MUTANTS": "1"}
    run_notebooks.TIMEOUT = 1800
    if not run_notebooks.run([path.resolve() for path in notebooks], jobs, store=False):
        sys.exit("A notebook failed.")
    return ledger.entries(BUILD / "ledger")


def judged(
    stated: dict[str, ledger.Display], ran: dict[str, ledger.Entry]
) -> tuple[dict[str, ledger.Mutants], list[str]]:
    """Judge every display; return the result and what is wrong with it or with the lists."""
    listed = ledger.read_equivalent()
    result: dict[str, ledger.Mutants] = {}
    wrong = ledger.holes(stated, ran)
    for label, display in stated.items():
        entry = ran.get(label)
        if entry is None or not entry.executed:
            continue
        result[label], idle = ledger.judge(entry, listed.get(label, {}))
        wrong += [
            f"{display.notebook}: {label}: listed as equivalent, but caught or no mutant: {latex}"
            for latex in idle
        ]
    return result, wrong


def is_stale(display: ledger.Display) -> bool:
    """Tell whether the mutants of a display, as it is now, have not been tried."""
    known = ledger.read_mutants().get(display.label)
    return not display.check.startswith("not_executed") and (
        known is None or known.digest != ledger.digest(display.latex)
    )


def table(
    stated: dict[str, ledger.Display], result: dict[str, ledger.Mutants]
) -> tuple[list[str], list[str]]:
    """The lines of the table, and the chapters that are not good enough."""
    sums: dict[str, Counter[str]] = {}
    for label, mutants in result.items():
        for name in (stated[label].notebook, "the book"):
            sums.setdefault(name, Counter()).update(
                displays=1,
                tried=mutants.tried,
                caught=mutants.caught,
                equivalent=len(mutants.equivalent),
                missed=len(mutants.missed),
            )
    sums["the book"] = sums.pop("the book", Counter())
    lines = [f"{'':28}displays  tried  caught  equivalent  missed    rate"]
    weak = []
    for name, count in sums.items():
        rate = count["caught"] / max(count["tried"] - count["equivalent"], 1)
        columns = (("displays", 8), ("tried", 7), ("caught", 8), ("equivalent", 12), ("missed", 8))
        numbers = "".join(f"{count[column]:{width}}" for column, width in columns)
        lines.append(f"{name:28}{numbers} {100 * rate:6.1f} %")
        if rate < ENOUGH:
            weak.append(name)
    return lines, weak


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--stale", action="store_true")
    args = parser.parse_args()
    start = time.perf_counter()
    everything = ledger.displays(ROOT / "nbs")
    changed = [display for display in everything.values() if not args.stale or is_stale(display)]
    notebooks = args.notebooks or [
        ROOT / "nbs" / f"{name}.ipynb"
        for name in dict.fromkeys(display.notebook for display in changed)
    ]
    names = {path.stem for path in notebooks}
    stated = {label: display for label, display in everything.items() if display.notebook in names}

    ran = tried(notebooks, args.jobs)
    result, wrong = judged(stated, ran)
    kept = {
        label: item
        for label, item in ledger.read_mutants().items()
        if label in everything and label not in stated
    }
    lines, weak = table(everything, kept | result)
    print("\n".join(lines))
    for label, mutants in result.items():
        for latex in mutants.missed:
            print(f"missed  {label}: {latex}")
    ledger.write_mutants(kept | result)
    for line in wrong:
        print(line, file=sys.stderr)
    if weak:
        print(f"Under {100 * ENOUGH:.0f} %: {', '.join(weak)}", file=sys.stderr)
    print(f"{time.perf_counter() - start:.0f} s")
    return 1 if weak or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
