"""The fixtures of the browser tests and of the faults, and what is reported below all tests."""

from browser import chromium, home, pyodide, site, visit
from faults import full_disk, read_only

__all__ = ["chromium", "full_disk", "home", "pyodide", "read_only", "site", "visit"]


def recorded(terminalreporter, name):
    """What tests recorded under this name."""
    return [
        value
        for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
        for key, value in report.user_properties
        if key == name and report.when == "call"
    ]


def pytest_terminal_summary(terminalreporter):
    """Print what the tests of compatibility, of running in the page, and of the site have measured."""
    if versions := recorded(terminalreporter, "compatible"):
        terminalreporter.section("the wheel beside other releases")
        for line in sorted(versions):
            terminalreporter.write_line(line)
    if runs := recorded(terminalreporter, "run"):
        terminalreporter.section("run in the page: cells, seconds to the first result and to the last")
        for name, cells, first, last in sorted(runs):
            terminalreporter.write_line(f"{cells:5} {first:6.1f} s {last:6.1f} s  {name}")
    rows = recorded(terminalreporter, "page")
    if not rows:
        return
    terminalreporter.section("pages: transferred, requests, first contentful paint")
    for name, weight, requests, paint in sorted(rows, key=lambda row: -row[1]):
        seen = "–" if paint is None else f"{paint:.0f}"
        terminalreporter.write_line(f"{weight / 1e3:8.0f} kB {requests:4} {seen:>6} ms  {name}")
