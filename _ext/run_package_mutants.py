"""Changes the code of the package, one operator at a time, and runs its unit tests on each change.

    python _ext/run_package_mutants.py [--jobs 2] [--keep] ["nnbook.core.losses.*" …]

These are mutants of the code, made and run by mutmut, as pyproject.toml says under [tool.mutmut];
the mutants of the equations are those of _ext/run_mutants.py. Prints a table, and exits with 1 when
the tests kill fewer than 95 in 100 of a module's mutants, when a survivor is not listed with its
reason in tests/surviving_mutants.yml, or when one that is listed is killed after all.

With --keep, mutants that were tried before are not tried again; with names or patterns of mutants
only those are tried, on top of what was tried before. Survivors are printed as entries of the list.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "mutants"  # mutmut knows no other place
LISTED = ROOT / "tests" / "surviving_mutants.yml"
ENOUGH = 0.95
ARROW = " ⟶ "
# The plugins of pytest would cost more time, for every single mutant, than most of its tests.
QUIET = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "MPLBACKEND": "agg", "OPENBLAS_NUM_THREADS": "1"}

# module → function → change → reason
Survivors = dict[str, dict[str, dict[str, str]]]


@dataclass(frozen=True)
class Mutant:
    """One change of the package, and what became of it."""

    module: str
    function: str
    name: str  # mutmut's own, which other changes of the same function may renumber
    status: str


def read_listed(path: Path = LISTED) -> Survivors:
    """The survivors that are known, each with the reason why no test needs to kill it."""
    found: Survivors = {}
    for module, functions in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).items():
        for function, entries in functions.items():
            for entry in entries:
                reason = entry["reason"]
                if len(reason.split()) < 4:
                    raise ValueError(f"{module}: {function}: {reason!r} is no reason")
                for change in entry["mutants"]:
                    found.setdefault(module, {}).setdefault(function, {})[one_line(change)] = reason
    return found


def one_line(text: str) -> str:
    return " ".join(text.split())


def run(names: list[str], jobs: int) -> None:
    """Let mutmut try the mutants, and keep its result in its folder."""
    program = ROOT / "_ext" / "mutmut_one_session.py"
    command = [sys.executable, program, "run", "--max-children", str(jobs), *names]
    if subprocess.run(command, cwd=ROOT, env={**os.environ, **QUIET}).returncode:
        sys.exit("mutmut failed.")


def results() -> Iterator[Mutant]:
    """What became of every mutant, as mutmut left it."""
    from mutmut.stats import status_by_exit_code
    from mutmut.utils.format_utils import orig_function_and_class_names_from_key

    for path in sorted((FOLDER / "nnbook").rglob("*.meta")):
        module = ".".join(path.relative_to(FOLDER).with_suffix("").with_suffix("").parts)
        for name, code in json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"].items():
            function, owner = orig_function_and_class_names_from_key(name)
            label = f"{owner}.{function}" if owner else function
            yield Mutant(module, label, name, status_by_exit_code[code])


def change_of(mutant: Mutant) -> str:
    """What the mutant changes: the lines as they are, an arrow, the lines as they would be."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    diff = get_diff_for_mutant(mutant.name, path=mutant.module.replace(".", "/") + ".py")
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    before, after = ([line[1:] for line in lines if line.startswith(sign)] for sign in "-+")
    return one_line(" ".join(before)) + ARROW + one_line(" ".join(after))


def table(mutants: list[Mutant], listed: Counter[str]) -> tuple[list[str], list[str]]:
    """The lines of the table, and the modules that are not good enough."""
    sums: dict[str, Counter[str]] = {}
    for mutant in mutants:
        for name in (mutant.module, "all of them"):
            sums.setdefault(name, Counter())[mutant.status] += 1
            sums[name]["tried"] += 1
    sums["all of them"] = sums.pop("all of them", Counter())
    listed["all of them"] = listed.total()
    lines = [f"{'':40}  tried  killed  timeout  survived  listed    rate"]
    weak = []
    for name, count in sums.items():
        killed, tried = count["killed"], count["tried"]
        late = count["timeout"] + count["segfault"]
        rate = (killed + late) / max(tried, 1)
        numbers = f"{tried:7}{killed:8}{late:9}{tried - killed - late:10}{listed[name]:8}"
        lines.append(f"{name:40}{numbers} {100 * rate:6.1f} %")
        if rate < ENOUGH:
            weak.append(name)
    return lines, weak


def entries(found: list[tuple[Mutant, str]]) -> str:
    """Survivors in the form of the list, with the reasons still to be given."""
    tree: dict[str, Any] = {}
    for mutant, change in found:
        functions = tree.setdefault(mutant.module, {})
        (entry,) = functions.setdefault(mutant.function, [{"reason": "", "mutants": []}])
        entry["mutants"].append(change)
    return yaml.safe_dump(tree, allow_unicode=True, sort_keys=False, width=96)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    start = time.perf_counter()
    listed = read_listed()
    if not (args.keep or args.names):
        shutil.rmtree(FOLDER, ignore_errors=True)
    run(args.names, args.jobs)

    os.chdir(ROOT)  # mutmut finds its files from there
    mutants = [mutant for mutant in results() if mutant.status != "not checked"]
    unlisted, seen, counts = [], set(), Counter[str]()
    for mutant in mutants:
        if mutant.status not in ("killed", "timeout", "segfault"):
            change = change_of(mutant)
            if change in listed.get(mutant.module, {}).get(mutant.function, {}):
                seen.add((mutant.module, mutant.function, change))
                counts[mutant.module] += 1
            else:
                unlisted.append((mutant, change))
    lines, weak = table(mutants, counts)
    tried = {mutant.module for mutant in mutants}
    idle = [
        (module, function, change)
        for module, functions in listed.items()
        for function, changes in functions.items()
        for change in changes
        if module in tried and not args.names and (module, function, change) not in seen
    ]
    if unlisted:
        print(entries(unlisted))
    print("\n".join(lines))
    for module, function, change in idle:
        print(f"{module}: {function}: listed, but killed or no mutant: {change}", file=sys.stderr)
    if unlisted:
        print(f"{len(unlisted)} survivors are not in {LISTED.name}", file=sys.stderr)
    if weak:
        print(f"Under {100 * ENOUGH:.0f} %: {', '.join(weak)}", file=sys.stderr)
    print(f"{time.perf_counter() - start:.0f} s")
    return 1 if weak or unlisted or idle else 0


if __name__ == "__main__":
    sys.exit(main())
