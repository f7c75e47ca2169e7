"""The tutor of the book's exercises: `check` an answer, or ask for a `hint`."""

from nnbook.exercises import experiments, machine, mathematics
from nnbook.exercises.tutor import check, hint

__all__ = ["check", "hint"]
