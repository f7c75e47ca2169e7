"""The checks bite: change a display, and its check fails. A sample here, all of it in `make mutants`."""

import contextlib
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pytest

import equation_ledger as ledger
import run_mutants
from nnbook.validation.equations import check
from nnbook.validation.equations.mutants import mutants, try_mutants

NBS = ledger.ROOT / "nbs"
EXAMPLES = (
    "01_backprop_walkthrough",
    "05_layer",
    "07_optimizers",
    "08_sequential",
    "A2_backpropagation",
)
ONE_IN = 6
RUN_THEM = "run make mutants, and commit tests/mutants.json"
LISTED = ledger.read_equivalent()
STATED = ledger.displays(NBS)
KNOWN = ledger.read_mutants()


# ---- a sample, tried now -----------------------------------------------------------------------


def in_sample(latex: str) -> bool:
    """Choose mutants by their text: the same ones every time, others when the display changes."""
    return int(hashlib.sha256(ledger.normal(latex).encode()).hexdigest(), 16) % ONE_IN == 0


def sample(latex, latex_bindings, **arguments):
    """Try a sample of a display's mutants, in place of all of them."""
    after, approx = arguments.pop("after"), arguments.pop("approx")
    tried, missed = 0, []
    for mutant in mutants(latex, check.quantities_of(latex_bindings, after, arguments)):
        if in_sample(mutant.latex):
            tried += 1
            try:
                with np.errstate(all="ignore"):
                    check.check_latex(
                        mutant.latex, latex_bindings, after=after, approx=approx, **arguments
                    )
                missed.append(ledger.normal(mutant.latex))
            except check.EquationError:
                pass
    return {"tried": tried, "missed": missed}


def run_cells(name):
    """Run the code of a notebook in this process, the pictures left out; return its checks."""
    before = len(check.CHECKED)
    space = {"__name__": "__main__"}
    matplotlib.use("Agg")
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for cell in json.loads((NBS / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]:
            source = ledger.source_of(cell)
            if cell["cell_type"] == "code" and "plt.show()" not in source:
                exec(compile(source, name, "exec"), space)
    return check.CHECKED[before:]


@pytest.mark.parametrize("name", EXAMPLES)
def test_sample_of_mutants_is_caught(name, monkeypatch):
    monkeypatch.chdir(NBS)
    monkeypatch.delenv("NNBOOK_LEDGER", raising=False)
    monkeypatch.setattr(check, "OBSERVERS", [sample])
    checks = run_cells(name)
    assert {item.label for item in checks} == {
        label for label, d in STATED.items() if d.notebook == name
    }
    missed = {}  # by every check of their display
    for item in checks:
        if item.mutants:
            here = set(item.mutants["missed"])
            missed[item.label] = missed.get(item.label, here) & here
    survivors = [
        f"{label}: {latex}"
        for label, found in missed.items()
        for latex in found - LISTED.get(label, {}).keys()
    ]
    assert not survivors, "\n".join(survivors)
    assert sum(item.mutants["tried"] for item in checks if item.mutants) >= 10


A, B, C = np.ones((5, 3)), np.ones((3, 4)), np.ones((5, 3))


@pytest.mark.parametrize(
    "latex, bindings, changed",
    [
        (
            r"c = a - \frac{b}{2}",
            {"a": 1, "b": 2, "c": 3},
            {
                "sign": r"c = a + \frac{b}{2}",
                "dropped term": "c = a",
                "dropped factor": "c = a - {b}",
                "factor": r"c = a - \frac{b}{3}",
                "sibling symbol": r"c = b - \frac{b}{2}",
            },
        ),
        (
            r"Z = A^\top C",
            {"Z": A.T @ C, "A": A, "C": C},
            {"transpose": "Z = A C", "product": r"Z = A^\top \odot C"},
        ),
        (r"Z = A^\top C", {"Z": A.T @ C, "A": A, "C": C}, {"product": r"Z = C A^\top"}),
        (
            r"Z = A \odot C",
            {"Z": A * C, "A": A, "C": C},
            {"product": "Z = A C", "transpose": r"Z = A \odot C^\top"},
        ),
        (
            r"Z^{[l]} = A^{[l-1]} W^{[l]}",
            {"Z": {1: A @ B}, "A": {0: A}, "W": {1: B}},
            {
                "index": "Z^{[l]} = A^{[l-1]} W^{[l+1]}",
                "transpose": r"Z^{[l]} = {A^{[l-1]}}^\top W^{[l]}",
                "product": r"Z^{[l]} = A^{[l-1]} \odot W^{[l]}",
            },
        ),
        (
            r"s = \sum_{i=1}^{n} x_{ij} y_i",
            {"s": np.ones(3), "x": A, "y": np.ones(5), "n": 5},
            {
                "index": r"s = \sum_{i=1}^{n} x_{j,i} y_i",
                "bound": r"s = \sum_{i=1}^{n-1} x_{ij} y_i",
                "factor": r"s = \sum_{i=2}^{n} x_{ij} y_i",
            },
        ),
        (
            "y = g(h x) + e^{t x}",
            {"y": 1, "g": np.tanh, "x": 2, "h": 3, "t": 4},
            {"sign": "y = g(-h x) + e^{t x}", "factor": "y = g(h x) + e^{2 (t x)}"},
        ),
    ],
)
def test_what_people_change_by_mistake_is_changed(latex, bindings, changed):
    made = {
        (mutant.kind, re.sub(r" +", " ", mutant.latex).strip())
        for mutant in mutants(latex, check.quantities_of(None, None, bindings))
    }
    assert changed.items() <= made


def test_a_check_that_does_not_bite_is_seen():
    missed = [mutant.latex for mutant in try_mutants("c = a^2", a=1.0, c=1.0) if not mutant.caught]
    assert missed == ["c = a "] or "c = a^3" in missed
    assert all(mutant.caught for mutant in try_mutants("c = a^2", a=1.7, c=1.7**2))


# ---- the whole book, as `make mutants` left it --------------------------------------------------


def test_every_display_has_its_mutants_tried_as_it_is_now():
    executed = {
        label for label, display in STATED.items() if not display.check.startswith("not_executed")
    }
    assert sorted(executed - KNOWN.keys()) == [], RUN_THEM
    assert sorted(KNOWN.keys() - executed) == [], RUN_THEM
    stale = [
        label for label in executed if KNOWN[label].digest != ledger.digest(STATED[label].latex)
    ]
    assert stale == [], RUN_THEM


def test_every_chapter_catches_ninety_nine_in_a_hundred():
    lines, weak = run_mutants.table(
        STATED, {label: item for label, item in KNOWN.items() if label in STATED}
    )
    assert weak == [], "\n".join(lines)
    assert sum(item.tried for item in KNOWN.values()) > 5000


def test_counts_add_up():
    for label, item in KNOWN.items():
        assert item.tried == item.caught + len(item.equivalent) + len(item.missed), label
        assert item.tried > 0, f"{label} has no mutants at all"


def test_equivalent_mutants_are_missed_ones_with_a_reason():
    assert sorted(LISTED.keys() - STATED.keys()) == []
    for label, items in LISTED.items():
        assert sorted(items) == sorted(KNOWN[label].equivalent), (
            f"{label}: listed, but caught or no mutant"
        )
        for latex, reason in items.items():
            assert len(reason.split()) >= 4, f"{label}: {reason!r} is no reason"
            assert latex != ledger.normal(STATED[label].latex)


# ---- the judge itself --------------------------------------------------------------------------


def entry(*missed, latex="c = a", tried=5):
    return ledger.Entry(
        "eq-x", latex, tried=tried, missed=[{"latex": text, "kind": "sign"} for text in missed]
    )


def test_listed_mutants_that_are_caught_are_an_error():
    result, idle = ledger.judge(entry("c =  -a"), {"c = -a": "why", "c = a a": "why"})
    assert (result.tried, result.caught, result.equivalent, result.missed) == (5, 4, ["c = -a"], [])
    assert idle == ["c = a a"]


def test_missed_mutants_lower_the_rate():
    display = ledger.Display("eq-x", "c = a", "05_layer", "check_equation('eq-x')")
    result, _ = ledger.judge(entry("c = -a", tried=50), {})
    lines, weak = run_mutants.table({"eq-x": display}, {"eq-x": result})
    assert weak == ["05_layer", "the book"]
    assert "98.0 %" in lines[-1]
    result, _ = ledger.judge(entry("c = -a", tried=50), {"c = -a": "why it is the same"})
    assert run_mutants.table({"eq-x": display}, {"eq-x": result})[1] == []


def test_results_survive_the_file(tmp_path):
    result, _ = ledger.judge(entry("c = -a", r"c = \beta"), {"c = -a": "why"})
    ledger.write_mutants({"eq-x": result}, tmp_path / "mutants.json")
    assert ledger.read_mutants(tmp_path / "mutants.json") == {"eq-x": result}


@pytest.mark.parametrize("text", ["eq-x: [{reason: ' ', mutants: [a]}]", "eq-x: [{mutants: [a]}]"])
def test_an_equivalent_mutant_needs_a_reason(tmp_path: Path, text):
    path = tmp_path / "list.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises((ValueError, KeyError)):
        ledger.read_equivalent(path)


def test_a_mutant_is_missed_when_every_check_of_its_display_misses_it(tmp_path):
    def line(*missed):
        record = {
            "label": "eq-x",
            "latex": "c = a",
            "exception": "",
            "mutants": {
                "tried": 3,
                "caught": 3 - len(missed),
                "missed": [{"latex": text, "kind": "sign"} for text in missed],
            },
        }
        return json.dumps(record) + os.linesep

    (tmp_path / "checks-1.jsonl").write_text(
        line("c = -a", "c = b") + line("c = b"), encoding="utf-8"
    )
    assert [mutant["latex"] for mutant in ledger.entries(tmp_path)["eq-x"].missed] == ["c = b"]


def test_a_process_that_is_told_to_tries_the_mutants_of_what_it_checks():
    program = """
from nnbook.validation.equations import check, check_latex
observe, = check.OBSERVERS
print(observe("c = a", None, c=2.0, a=2.0)["caught"])
"""
    found = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"NNBOOK_MUTANTS": "1"},
        text=True,
        capture_output=True,
        timeout=120,
    )
    assert found.returncode == 0, found.stderr
    assert int(found.stdout) > 0
