"""Execute a book's equations from their own LaTeX."""

from nnbook.validation.equations.check import (
    CHECKED,
    Checked,
    check_equation,
    check_latex,
    not_executed,
)
from nnbook.validation.equations.grammar import EquationError
from nnbook.validation.equations.values import Each, Samples

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
