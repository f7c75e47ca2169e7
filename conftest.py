"""What nbval and pytest need to know about this book."""


def pytest_itemcollected(item):
    """Let nbval compare the outputs of clean notebooks.

    nbdev stores no execution counts, and nbval takes a cell without one for a cell that never ran.
    """
    cell = getattr(item, "cell", None)
    if cell is not None and cell.cell_type == "code" and cell.execution_count is None:
        cell.execution_count = 0
