"""The fixtures of the browser tests and of the faults, and the table of what each page weighs."""

from browser import chromium, home, pyodide, site, visit
from faults import full_disk, read_only

__all__ = ["chromium", "full_disk", "home", "pyodide", "read_only", "site", "visit"]


def pytest_terminal_summary(terminalreporter):
    """Print what tests/test_site.py measured of every page."""
    rows = [
        value
        for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
        for key, value in report.user_properties
        if key == "page" and report.when == "call"
    ]
    if not rows:
        return
    terminalreporter.section("pages: transferred, requests, first contentful paint")
    for name, weight, requests, paint in sorted(rows, key=lambda row: -row[1]):
        seen = "–" if paint is None else f"{paint:.0f}"
        terminalreporter.write_line(f"{weight / 1e3:8.0f} kB {requests:4} {seen:>6} ms  {name}")
