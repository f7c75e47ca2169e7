"""The directive `{playground}`: a network that the reader sets up, trains and watches, in the page.

    ```{playground}
    :data: spirals
    :epochs: 40
    ```

An option changes the starting setting by a name of `_static/playground_engine.py`, which holds all
choices; `epochs` says how far the picture has come that the page shows at first. That picture is
computed here, by the same code that the reader's browser runs later, so the page has something to
show before, and without, any script.
"""

from __future__ import annotations

import base64
import json
import sys
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from docutils import nodes
from docutils.parsers.rst import directives
from PIL import Image, ImageDraw
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

STATIC = Path(__file__).resolve().parent.parent / "_static"
sys.path.insert(0, str(STATIC))
import playground_engine as engine  # noqa: E402

PICTURES = "playground"  # in the site's `_static`
CLASSES = ((0, 114, 178), (230, 159, 0), (0, 158, 115))  # as playground.css has them
PIXELS = 512

# Each control: the chapter that derives what it chooses, and what it does.
CONTROLS = {
    "data": (
        "09_data",
        "The points to learn, a colour a class. Half as many again are held out, "
        "and shown hollow: the network is judged by them and does not learn from them.",
    ),
    "noise": (
        "14_spiral",
        "How far each point is moved at random. With much of it the classes "
        "overlap, and no network can tell every point.",
    ),
    "layers": (
        "08_sequential",
        "How many hidden layers there are. With none, the boundary is straight.",
    ),
    "units": ("13_xor", "How many units each hidden layer has. Each draws one bent line."),
    "activation": (
        "03_activations",
        "How a unit bends its line. With identity, no number of "
        "layers does better than a straight boundary.",
    ),
    "initialiser": (
        "04_initializers",
        "How large the weights are at the start. “To match” takes "
        "the one that fits the activation.",
    ),
    "optimizer": ("07_optimizers", "How the gradient becomes a step."),
    "learning rate": (
        "07_optimizers",
        "How long the step is. Too long, and the loss jumps or "
        "overflows; too short, and nothing moves.",
    ),
    "batch": ("12_model", "How many points a step looks at."),
}


class Playground(SphinxDirective):
    """The controls with their explanations, and the picture to begin with."""

    option_spec = {
        **{name.replace(" ", "-"): directives.unchanged for name in engine.START},
        "epochs": directives.nonnegative_int,
    }

    def run(self) -> list[nodes.Node]:
        setting = dict(engine.START)
        for name in setting:
            value = self.options.get(name.replace(" ", "-"), setting[name])
            if value not in engine.CHOICES[name]:
                raise self.error(f"{name} must be one of {engine.CHOICES[name]}, got {value!r}")
            setting[name] = value
        return [playground("", setting=setting, epochs=self.options.get("epochs", 40))]


class playground(nodes.General, nodes.Element):
    """A playground with a `setting`, shown first after so many `epochs`."""


def control(name: str, chosen: str, place: str) -> str:
    """A control, and the chapter that it belongs to."""
    key = name.replace(" ", "-")
    page = CONTROLS[name][0]
    options = "".join(
        f"<option{' selected' if value == chosen else ''}>{escape(value)}</option>"
        for value in engine.CHOICES[name]
    )
    number = int(page[:2])
    return (
        f'<div class="nn-play-control"><label for="nn-play-{key}">{name.capitalize()}</label>'
        f'<a href="{place}" aria-label="ch. {number}: {name}">ch. {number}</a>'
        f'<select id="nn-play-{key}" data-name="{name}">{options}</select></div>'
    )


def visit_playground(self: Any, node: playground) -> None:
    builder, setting = self.builder, node["setting"]
    page, run = builder.current_docname, engine.Playground(setting)
    run.train(node["epochs"])
    frame, points = run.frame(), run.points()
    picture = f"{PICTURES}/{page}.png"
    draw(Path(builder.outdir, "_static", picture), frame, points)
    up = "../" * page.count("/")
    places = {
        name: builder.get_relative_uri(page, chapter) for name, (chapter, _) in CONTROLS.items()
    }
    first = json.dumps({"frame": frame, "points": points}, default=coded)
    controls = "".join(control(name, setting[name], places[name]) for name in CONTROLS)
    said = "".join(
        f'<dt>{name.capitalize()}</dt><dd>{text} <a href="{places[name]}">Chapter '
        f"{int(chapter[:2])}</a> derives it.</dd>"
        for name, (chapter, text) in CONTROLS.items()
    )
    shares = " and ".join(f"{share:.0%}" for share in run.right)
    seen = (
        "The plane, coloured by the class that a network expects at each place, with the points it "
        f"has learned, {setting['data']}. After {run.epoch} passes over the points it tells "
        f"{shares} of those trained on and held out."
    )
    still = (
        f"A network of this book has learned these points in {run.epoch} passes. With JavaScript, "
        "the reader sets up networks here and watches them learn."
    )
    self.body.append(f"""
<div class="nn-playground">
<img class="nn-play-picture" src="{up}_static/{picture}" width="{PIXELS}" height="{PIXELS}"
 alt="{escape(seen)}">
<p class="nn-play-still">{still}</p>
<form class="nn-play-controls" aria-label="The network and its data" hidden>{controls}</form>
<details class="nn-play-help" hidden><summary>What the controls do</summary>
<dl>{said}</dl></details>
<script type="application/json" class="nn-play-first">{first}</script>
</div>
""")
    raise nodes.SkipNode


def coded(value: bytes) -> str:
    return base64.b64encode(value).decode()


def draw(path: Path, frame: dict[str, Any], points: dict[str, Any]) -> None:
    """Draw a frame as `playground.js` does, for pages without scripts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    chances = np.frombuffer(frame["field"], np.uint8).reshape(engine.FIELD, engine.FIELD, -1) / 255
    colours = np.array(CLASSES[: frame["classes"]], dtype=float)
    field = 255 + 0.45 * (chances @ colours - 255)
    image = Image.fromarray(field.round().astype(np.uint8)).resize((PIXELS, PIXELS))
    pen = ImageDraw.Draw(image)
    triples = np.frombuffer(points["triples"], np.float32).reshape(-1, 3)
    for x, y, kind in triples[: points["trained"]]:
        at = [(x / engine.EDGE + 1) * PIXELS / 2, (1 - y / engine.EDGE) * PIXELS / 2]
        pen.circle(at, 4, fill=CLASSES[int(kind)], outline="white")
    image.save(path, optimize=True)


def add_scripts(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    if doctree is not None and any(doctree.findall(playground)):
        app.add_css_file("playground.css")
        app.add_js_file("playground.js", defer="defer")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("playground", Playground)
    app.add_node(playground, html=(visit_playground, None))
    app.connect("html-page-context", add_scripts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
