"""Below the title of a page that is a notebook: a link to it, and to where it can be launched.

The notebook is the one that was rendered, outputs included. Where it can be launched is set in
`_config.yml` alone: the theme makes the addresses from `repository` and `launch_buttons`, and there
are none before a repository is named.
"""

from __future__ import annotations

from html import escape
from typing import Any

from sphinx.application import Sphinx

LAUNCH = "launch-buttons"  # the label of the theme's group of buttons


def launch_targets(context: dict[str, Any]) -> list[tuple[str, str]]:
    """Take the theme's launch buttons out of the header: names and addresses."""
    buttons = context.get("header_buttons", [])
    groups = [button for button in buttons if button.get("label") == LAUNCH]
    context["header_buttons"] = [button for button in buttons if button not in groups]
    return [(button["text"], button["url"]) for group in groups for button in group["buttons"]]


def links_line(source: str, targets: list[tuple[str, str]], repository: str) -> str:
    """The line, in HTML."""
    launch = " or ".join(f'<a href="{escape(url)}">{escape(name)}</a>' for name, url in targets)
    run = f", or open it in {launch}" if launch else ""
    if any(name == "Colab" for name, _ in targets):  # Binder reads .binder/requirements.txt
        install = f"%pip install git+{escape(repository)}"
        run += f'; in Colab, run <code class="literal">{install}</code> first'
    return (
        '<p class="nn-notebook">This page is a notebook: '
        f'<a href="{escape(source)}" download>download it</a>{run}.</p>\n'
    )


def add_links(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    if app.builder.format != "html" or not context.get("body"):
        return
    targets = launch_targets(context)
    name = context.get("sourcename", "")
    if name.endswith(".ipynb") and app.config.html_copy_source:
        source = context["pathto"](f"_sources/{name}", True)
        line = links_line(source, targets, context.get("theme_repository_url", ""))
        context["body"] = context["body"].replace("</h1>\n", f"</h1>\n{line}", 1)


def configure(app: Sphinx, config: Any) -> None:
    """Without the address of a repository there is nothing to launch."""
    if not config.html_theme_options.get("repository_url"):
        config.html_theme_options["launch_buttons"] = {}


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("config-inited", configure)
    app.connect("html-page-context", add_links, priority=950)  # after the theme's buttons
    return {"version": "1", "parallel_read_safe": True}
