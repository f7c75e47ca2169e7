"""Execute a book's equations from their own LaTeX."""

import os

from nnbook.validation.equations.check import (
    CHECKED,
    Checked,
    check_equation,
    check_latex,
    not_executed,
)
from nnbook.validation.equations.grammar import EquationError
from nnbook.validation.equations.values import Each, Samples

if os.environ.get("NNBOOK_MUTANTS"):
    from nnbook.validation.equations.mutants import watch

    watch()

__all__ = [
    "CHECKED",
    "Checked",
    "Each",
    "EquationError",
    "Samples",
    "check_equation",
    "check_latex",
    "not_executed",
]
