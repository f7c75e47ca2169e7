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
    """Print what tests/test_compatibility.py ran with, and what tests/test_site.py measured."""
    if versions := recorded(terminalreporter, "compatible"):
        terminalreporter.section("the wheel beside other releases")
        for line in sorted(versions):
            terminalreporter.write_line(line)
    rows = recorded(terminalreporter, "page")
    if not rows:
        return
    terminalreporter.section("pages: transferred, requests, first contentful paint")
    for name, weight, requests, paint in sorted(rows, key=lambda row: -row[1]):
        seen = "–" if paint is None else f"{paint:.0f}"
        terminalreporter.write_line(f"{weight / 1e3:8.0f} kB {requests:4} {seen:>6} ms  {name}")
