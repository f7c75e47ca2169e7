"""The hints of an exercise on its page, folded: the same that `hint` prints, from one source.

    ```{hints} softplus-backward
    ```
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from nnbook.exercises.tutor import find

# A hint follows a colon where it is printed, and begins a sentence here; symbols stay as they are.
SENTENCE = re.compile(r"^[a-z](?=[a-z]* )")


class Hints(SphinxDirective):
    """One folded box a hint."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        try:
            hints = find(self.arguments[0]).hints
        except ValueError as error:
            raise self.error(str(error)) from error
        return [self.box(hint, number, len(hints)) for number, hint in enumerate(hints, 1)]

    def box(self, hint: str, number: int, count: int) -> nodes.Node:
        box = nodes.admonition(classes=["hint", "dropdown"])
        box += nodes.title("", f"Hint {number} of {count}" if count > 1 else "Hint")
        text = SENTENCE.sub(lambda start: start[0].upper(), hint)
        text += "" if text.endswith("?") else "."
        self.state.nested_parse(StringList([text], source=""), self.content_offset, box)
        return box


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("hints", Hints)
    return {"parallel_read_safe": True}
