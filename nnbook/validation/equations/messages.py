"""What is said when an equation cannot be read, cannot be evaluated or does not hold."""

from __future__ import annotations

__all__ = ["EquationError", "Span", "caret"]

Span = tuple[int, int]


class EquationError(AssertionError):
    """An equation that does not hold, or a display that cannot be executed.

    Parameters
    ----------
    message : str
        What is wrong and what to write instead.
    span : tuple of int, optional
        Where in the LaTeX it is: first position and the one after the last.
    """

    def __init__(self, message: str, span: Span | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.span = span

    def __str__(self) -> str:
        return self.message


def caret(latex: str, span: Span | None) -> str:
    """Show the LaTeX, with carets under the part that `span` names."""
    if span is None:
        return _indented(latex)
    shown = []
    position = 0
    for line in latex.split("\n"):
        shown.append("    " + line)
        first = max(span[0] - position, 0)
        last = min(span[1] - position, len(line))
        if first < max(last, first + (span[0] == span[1])) and first <= len(line) and last >= 0:
            shown.append("    " + " " * first + "^" * max(last - first, 1))
        position += len(line) + 1
    return "\n".join(shown)


def _indented(latex: str) -> str:
    return "\n".join("    " + line for line in latex.split("\n"))
