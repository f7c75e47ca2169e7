"""mutmut, but the tests are collected once for all mutants.

mutmut starts pytest anew for every mutant, which takes seconds; most mutants are killed by their
first test, which takes milliseconds. Here the process that forks has collected the tests, and a
fork only runs those that reach its mutant, the quickest first, until one fails.

    python _ext/mutmut_one_session.py run [--max-children 2] [names of mutants]
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from _pytest.config import _prepareconfig
from mutmut.__main__ import cli
from mutmut.runners.harness import PytestRunner, change_cwd
from mutmut.state import state


class OneSession:
    """A session of pytest that does not end: its tests by their names, and whether one failed."""

    def __init__(self, arguments: list[str]) -> None:
        self.failed = False
        config = _prepareconfig(["--rootdir=.", "--tb=native", "--capture=no", *arguments])
        config._do_configure()
        config.pluginmanager.unregister(name="terminalreporter")
        config.pluginmanager.register(self)
        session = pytest.Session.from_config(config)
        config.hook.pytest_sessionstart(session=session)
        config.hook.pytest_collection(session=session)
        self.tests = {item.nodeid: item for item in session.items}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed |= report.failed

    def passes(self, name: str) -> bool:
        item = self.tests[name]
        item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
        return not self.failed


session: OneSession | None = None


def run_tests(self: PytestRunner, *, mutant_name: str | None, tests: Iterable[str]) -> int:
    """0 if all of the tests pass, 1 as soon as one fails; of all tests, if none are named."""
    global session
    with change_cwd("mutants"):
        if session is None:
            session = OneSession(
                self._pytest_add_cli_args_test_selection + self._pytest_add_cli_args
            )
        session.failed = False
        durations: dict[str, float] = state().duration_by_test
        names = sorted(tests or session.tests, key=lambda name: durations.get(name, 0))
        return 0 if all(map(session.passes, names)) else 1


if __name__ == "__main__":
    PytestRunner.run_tests = run_tests  # type: ignore[method-assign]
    cli()
