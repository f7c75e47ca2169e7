"""The tutor of the book's exercises: `check` an answer, or ask for a `hint`."""

from nnbook.exercises import machine, mathematics
from nnbook.exercises.tutor import check, hint

__all__ = ["check", "hint"]
