"""The list of surviving mutants of the code is about the code as it is now, and gives reasons."""

import importlib
import inspect
from collections import Counter

import pytest

import run_package_mutants as mutants

LISTED = mutants.read_listed()


def mutant(status, module="nnbook.core.layer"):
    return mutants.Mutant(module, "Layer.bind", "name", status)


@pytest.mark.parametrize("module", LISTED)
def test_what_a_listed_mutant_changes_is_still_there(module):
    source = mutants.one_line(inspect.getsource(importlib.import_module(module)))
    for function, changes in LISTED[module].items():
        for change in changes:
            before, arrow, after = change.partition(mutants.ARROW)
            assert arrow and before != after, change
            assert before in source, f"{function} no longer holds {before}"


def test_a_survivor_needs_a_reason(tmp_path):
    path = tmp_path / "list.yml"
    path.write_text("m:\n  f:\n    - reason: no idea\n      mutants: [a ⟶ b]\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no reason"):
        mutants.read_listed(path)
    path.write_text("m:\n  f:\n    - reason: Both are the same number.\n      mutants:\n        - >-\n          a\n          ⟶ b\n", encoding="utf-8")
    assert mutants.read_listed(path) == {"m": {"f": {"a ⟶ b": "Both are the same number."}}}


def test_a_module_with_too_many_survivors_is_weak():
    killed = [mutant("killed")] * 17 + [mutant("timeout")] * 2
    lines, weak = mutants.table([*killed, mutant("survived")], Counter())
    assert weak == [] and lines[-1].split()[-7:] == ["20", "17", "2", "1", "0", "95.0", "%"]
    _, weak = mutants.table([*killed, mutant("survived"), mutant("no tests")], Counter())
    assert weak == ["nnbook.core.layer", "all of them"]
    assert mutants.table([], Counter())[1] == ["all of them"]


def test_survivors_are_printed_as_the_list_is_written():
    text = mutants.entries([(mutant("survived"), "a ⟶ b"), (mutant("survived"), "a ⟶ c")])
    assert text.split() == "nnbook.core.layer: Layer.bind: - reason: '' mutants: - a ⟶ b - a ⟶ c".split()
