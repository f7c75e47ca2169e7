"""mutmut, but the tests are collected once for all mutants.

mutmut starts pytest anew for every mutant, which takes seconds; most mutants are killed by their
first test, which takes milliseconds. Here the process that forks has collected the tests, and a
fork only runs those that reach its mutant, the quickest first, until one fails.

    python _ext/mutmut_one_session.py run [--max-children 2] [names of mutants]
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from _pytest.config import _prepareconfig
from _pytest.runner import runtestprotocol
from mutmut.__main__ import cli
from mutmut.runners.harness import PytestRunner, change_cwd
from mutmut.state import state

SESSION: dict[str, pytest.Item] = {}


def collect(arguments: list[str]) -> None:
    """Start a session of pytest that does not end, and keep its tests by their names."""
    config = _prepareconfig(["--rootdir=.", "--tb=native", "--capture=no", "-qqq", *arguments])
    config._do_configure()
    session = pytest.Session.from_config(config)
    config.hook.pytest_sessionstart(session=session)
    config.hook.pytest_collection(session=session)
    SESSION.update((item.nodeid, item) for item in session.items)


def run_tests(self: PytestRunner, *, mutant_name: str | None, tests: Iterable[str]) -> int:
    """0 if all of the tests pass, 1 as soon as one fails; of all tests, if none are named."""
    with change_cwd("mutants"):
        if not SESSION:
            collect(self._pytest_add_cli_args_test_selection + self._pytest_add_cli_args)
        durations: dict[str, Any] = state().duration_by_test
        for name in sorted(tests or SESSION, key=lambda name: durations.get(name, 0)):
            reports = runtestprotocol(SESSION[name], log=False, nextitem=None)
            if any(report.failed for report in reports):
                return 1
    return 0


if __name__ == "__main__":
    PytestRunner.run_tests = run_tests  # type: ignore[method-assign]
    cli()
