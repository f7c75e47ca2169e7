"""What nbval and pytest need to know about this book."""


def pytest_itemcollected(item):
    """Let nbval compare the outputs of clean notebooks.

    nbdev stores no execution counts, and nbval takes a cell without one for a cell that never ran.
    """
    cell = getattr(item, "cell", None)
    if cell is not None and cell.cell_type == "code" and cell.execution_count is None:
        cell.execution_count = 0


# Files that take minutes begin, so that no process of several is left alone with one at the end.
LONG = (
    "test_run_chapters.py",
    "test_run_in_page.py",
    "test_site.py",
    "16_mnist.ipynb",
    "test_oracle.py",
)


def pytest_collection_modifyitems(items):
    """Keep the cells of a notebook in the order of the page: the tests come in a random one."""

    def place(item):
        name = item.path.name
        long = LONG.index(name) if name in LONG else len(LONG)
        cell = hasattr(item, "cell")
        return long, not cell, (name, item.cell_num) if cell else ("", 0)

    items.sort(key=place)


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    """Say how to run the tests in the same order once more, if any failed."""
    seed = config.getoption("randomly_seed", None)
    if exitstatus and seed is not None:
        terminalreporter.write_line(f"The order of the tests was that of --randomly-seed={seed}")
