"""Execute a book's equations from their own LaTeX."""

from nnbook.validation.equations.algebra import Each, Samples
from nnbook.validation.equations.check import CHECKED, Checked, check_equation, check_latex, not_executed
from nnbook.validation.equations.messages import EquationError

__all__ = ["CHECKED", "Checked", "Each", "EquationError", "Samples", "check_equation", "check_latex", "not_executed"]
