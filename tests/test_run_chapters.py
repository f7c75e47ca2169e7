"""Every chapter's cells, from top to bottom, in the reader's browser; test_run_in_page.py has the rest."""

import pytest
from in_page import NOTEBOOKS, run_whole_page

CHAPTERS = [name for name in NOTEBOOKS if name[0].isdigit()]


def test_there_are_chapters(site):
    assert len(CHAPTERS) >= 17


@pytest.mark.parametrize("name", CHAPTERS)
def test_chapter_runs_in_the_browser(visit, pyodide, record_property, name):
    run_whole_page(visit, record_property, name)
