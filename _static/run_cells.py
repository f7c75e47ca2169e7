"""Runs the cells of a page: what Jupyter does for a notebook, as far as this book needs it.

It runs in the reader's browser, in a worker. `send` takes a message, as JSON, and where there is a
picture its bytes:

    {"type": "text", "cell": 5, "stream": "stdout", "text": "0.25\\n"}
    {"type": "shown", "cell": 5, "mime": "text/plain", "content": "0.25"}
    {"type": "error", "cell": 5, "text": "Traceback …"}
"""

import ast
import io
import json
import linecache
import os
import pprint
import sys
import sysconfig
import traceback
import types

MOST = 200_000  # characters that one cell may print: more would choke the page
WIDTH = 79
# The richest form first.
FORMS = {
    "_repr_html_": "text/html",
    "_repr_markdown_": "text/markdown",
    "_repr_latex_": "text/latex",
}


class Printed(io.TextIOBase):
    """Standard output or error, which goes to the page as it is written."""

    def __init__(self, cells, name):
        self.cells, self.name = cells, name

    def writable(self):
        return True

    def write(self, text):
        self.cells.print(self.name, text)
        return len(text)


class Form:
    """An object that shows one form of itself: what `IPython.display` has of them."""

    def __init__(self, data):
        self.data = data


class HTML(Form):
    def _repr_html_(self):
        return self.data


class Markdown(Form):
    def _repr_markdown_(self):
        return self.data


class Math(Form):
    def _repr_latex_(self):
        return f"$\\displaystyle {self.data}$"


class Cells:
    """The cells of one page, which share their variables."""

    def __init__(self, send):
        self.give = send
        self.cell = 0
        self.room = 0
        self.names = sys.modules["__main__"].__dict__
        sys.stdout, sys.stderr = Printed(self, "stdout"), Printed(self, "stderr")
        os.environ["MPLBACKEND"] = "module://page_figures"
        shown = types.ModuleType("IPython.display")
        shown.__dict__.update(display=self.display, HTML=HTML, Markdown=Markdown, Math=Math)
        package = types.ModuleType("IPython")
        package.display, package.get_ipython = shown, lambda: None
        sys.modules.update({"IPython": package, "IPython.display": shown})
        sys.modules["page_output"] = self  # where page_figures finds `picture`

    def send(self, type, **content):
        self.give(json.dumps({"type": type, "cell": self.cell, **content}))

    # ---- what a cell shows

    def print(self, stream, text):
        if self.room <= 0:
            return
        if len(text) > self.room:
            text = text[: self.room] + "\n… and more, which is not shown.\n"
        self.room -= len(text)
        self.send("text", stream=stream, text=text)

    def picture(self, png):
        self.give(json.dumps({"type": "shown", "cell": self.cell, "mime": "image/png"}), png)

    def display(self, *values):
        for value in values:
            if hasattr(value, "_ipython_display_"):
                value._ipython_display_()
                continue
            name = next((name for name in FORMS if hasattr(value, name)), None)
            content = as_text(value) if name is None else getattr(value, name)()
            self.send("shown", mime=FORMS.get(name, "text/plain"), content=content)

    # ---- how it runs

    def run(self, cell, source):
        """Run a cell; tell whether it came to its end."""
        self.cell, self.room = cell, MOST
        name = f"cell {cell}"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        try:
            self.execute(source, name)
            if "matplotlib.pyplot" in sys.modules:
                sys.modules["matplotlib.pyplot"].show()
        except BaseException as error:
            self.send("error", text=traceback_of(error))
            return False
        return True

    def execute(self, source, name):
        tree = compile(source, name, "exec", ast.PyCF_ONLY_AST)
        last = tree.body[-1] if tree.body else None
        shows = isinstance(last, ast.Expr) and not source.rstrip().endswith(";")
        if shows:
            tree.body.pop()
        exec(compile(tree, name, "exec"), self.names)
        if shows:
            value = eval(compile(ast.Expression(last.value), name, "eval"), self.names)
            if value is not None:
                self.names["_"] = value
                self.display(value)


def as_text(value):
    """The value as Jupyter writes it: on one line, or an item a line."""
    text = repr(value)
    if len(text) > WIDTH and isinstance(value, (dict, list, set, tuple)):
        return pprint.pformat(value, width=WIDTH, sort_dicts=False)
    return text


def traceback_of(error):
    """The traceback from the cell on, without the frames that ran it or that hide themselves."""
    told = traceback.TracebackException.from_exception(error)
    link, raised = told, error
    while link is not None:
        frames = [frame for frame, _ in traceback.walk_tb(raised.__traceback__)]
        link.stack = traceback.StackSummary.from_list(
            summary
            for frame, summary in zip(frames, link.stack)
            if frame.f_code.co_filename != __file__ and "__tracebackhide__" not in frame.f_locals
        )
        if link.__cause__ is not None:
            link, raised = link.__cause__, raised.__cause__
        elif link.__context__ is not None and not link.__suppress_context__:
            link, raised = link.__context__, raised.__context__
        else:
            link = None
    return "".join(told.format()).replace(f"{sysconfig.get_path('purelib')}/", "")
