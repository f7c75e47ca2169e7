"""Drives a real Chromium over the built site, as a reader would.

The site is served from 127.0.0.1 the way a static host serves it, gzip included, and no other host
can be reached. A test asks for the fixture `visit` and opens pages with it; what a page says on the
console, what it asks for and what fails is kept in the `Visit` that it gets.
"""

from __future__ import annotations

import functools
import gzip
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parent.parent
SITE = Path(os.environ.get("NNBOOK_SITE", ROOT / "_build" / "html"))
PYODIDE = Path(os.environ.get("NNBOOK_PYODIDE", ROOT.parent / "shared" / "pyodide"))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]

# ---- a static host -----------------------------------------------------------------------------

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".ipynb": "application/json",
    ".map": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".whl": "application/octet-stream",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
COMPRESSED = {".html", ".css", ".js", ".mjs", ".json", ".ipynb", ".map", ".txt", ".svg", ".wasm"}


@functools.cache
def body(path: Path, changed: int) -> bytes:
    """The file as it travels: compressed where a static host would; `changed` keeps it fresh."""
    content = path.read_bytes()
    return gzip.compress(content, 6, mtime=0) if path.suffix in COMPRESSED else content


class Host(SimpleHTTPRequestHandler):
    """Serves `folder`, and each folder of `mounts` under its name."""

    def __init__(self, *args, folder: Path, mounts: dict[str, Path], **kwargs):
        self.folder, self.mounts = folder, mounts
        super().__init__(*args, **kwargs)

    def log_message(self, *args):
        pass

    def do_GET(self):
        first, _, rest = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
        base, name = (
            (self.mounts[first], rest) if first in self.mounts else (self.folder, f"{first}/{rest}")
        )
        path = (base / name.strip("/")).resolve()
        if path.is_dir():
            path /= "index.html"
        if base.resolve() not in path.parents or not path.is_file():
            self.send_error(404)
            return
        content = body(path, path.stat().st_mtime_ns)
        self.send_response(200)
        self.send_header("Content-Type", TYPES.get(path.suffix) or self.guess_type(str(path)))
        if path.suffix in COMPRESSED:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def serve(folder: Path, **mounts: Path) -> Iterator[str]:
    """Serve `folder` at the address given, and each of `mounts` in the folder of its name."""
    handler = functools.partial(Host, folder=folder, mounts=mounts)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


# ---- a reader ----------------------------------------------------------------------------------


class Visit:
    """A page that was opened, and all that it said and asked for since."""

    def __init__(self, context, home: str):
        self.home = home
        self.console: list[str] = []  # warnings and errors, and exceptions that nothing caught
        self.requests: list[str] = []
        self.failures: list[str] = []
        self.responses: list = []
        self.page = context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.console.append(f"exception: {error}"))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("requestfailed", lambda request: self.failures.append(request.url))
        self.page.on("response", self._answered)

    def _heard(self, message) -> None:
        if message.type in ("warning", "error"):
            self.console.append(f"{message.type}: {message.text}")

    def _answered(self, response) -> None:
        self.responses.append(response)
        if response.status >= 400:
            self.failures.append(f"{response.status} {response.url}")

    @property
    def offsite(self) -> list[str]:
        """The requests that went to another host, and were refused."""
        return [url for url in self.requests if not url.startswith((self.home, "data:", "blob:"))]

    def complaints(self) -> list[str]:
        """Everything that a quiet, self-contained page does not do."""
        return [
            *self.console,
            *(f"asked another host: {url}" for url in self.offsite),
            *(f"failed: {url}" for url in self.failures),
        ]

    def settle(self) -> None:
        """Wait until the page is loaded and its mathematics typeset."""
        self.page.wait_for_load_state("load")
        self.page.evaluate("async () => { await window.MathJax?.startup?.promise; }")

    def transferred(self) -> int:
        """The bytes of all answers so far, headers included, as they travelled."""
        sizes = [response.request.sizes() for response in self.responses]
        return sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)


# ---- what is wrong with a page ------------------------------------------------------------------

AXE = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"
WIDTHS = (1280, 390)
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# axe looks at every node: so formulas, which are MathJax's own affair, go, and so do the colours in
# code but for one page, as the same few are on all. Colours are judged at rest. `rules` narrows a run.
PLAIN = """(coloured) => {
    for (const formula of document.querySelectorAll("mjx-container")) formula.replaceChildren();
    if (!coloured)
        for (const code of document.querySelectorAll("pre")) code.textContent = code.textContent;
}"""
FINDINGS = """async (rules) => {
    const options = {resultTypes: ["violations"], elementRef: false};
    if (rules) options.runOnly = {type: "rule", values: rules};
    const {violations} = await axe.run(document, options);
    return violations
        .filter((found) => ["serious", "critical"].includes(found.impact))
        .flatMap((found) => found.nodes.map((node) =>
            `${found.id}: ${node.target} ${node.html.slice(0, 120)}: ${node.failureSummary}`));
}"""


def sideways(page) -> list[str]:
    wrong = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        if (pixels := page.evaluate(SIDEWAYS)) > 0:
            wrong.append(f"scrolls sideways by {pixels} pixels at a width of {width}")
    return wrong


def inaccessible(page, coloured: bool) -> list[str]:
    """The serious and critical findings of axe-core in the light scheme, then in the dark one."""
    page.set_viewport_size({"width": WIDTHS[0], "height": 900})
    page.add_script_tag(path=str(AXE))
    page.add_style_tag(content="* { transition: none !important }")
    page.evaluate(PLAIN, coloured)
    light = page.evaluate(FINDINGS)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    # nothing but colours differs between the schemes
    dark = page.evaluate(FINDINGS, ["color-contrast", "link-in-text-block"])
    return [f"light: {found}" for found in light] + [f"dark: {found}" for found in dark]


# ---- fixtures -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium():
    """A running Chromium.

    It ends with the module: Playwright's event loop would be in the way of other tests' own.
    """
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed, so nothing is tested in a browser")
    api = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built site."""
    if not (SITE / "index.html").exists():
        pytest.skip(f"there is no built site in {SITE}: `make book` builds it")
    return SITE


@pytest.fixture(scope="session")
def pyodide() -> Path:
    """A folder with Pyodide's files, which is served at `/pyodide/` beside the site."""
    if not (PYODIDE / "pyodide.mjs").exists():
        pytest.skip(f"Pyodide is not in {PYODIDE}: name its folder in NNBOOK_PYODIDE")
    return PYODIDE


@pytest.fixture(scope="module")
def home(site) -> Iterator[str]:
    """The address at which the site is served, ending in a slash."""
    with serve(site, pyodide=PYODIDE) as address:
        yield address


@pytest.fixture
def visit(chromium, home) -> Iterator[Callable[..., Visit]]:
    """Open pages: `visit("05_layer.html", width=390, scheme="dark")`.

    The name is within the site, or a whole `file:` address. More keyword arguments go to Playwright's
    `new_context`; `before` is JavaScript that runs ahead of the page's own. Every visit has a
    context, so cache and storage, of its own.
    """
    contexts = []

    def open_page(name: str, *, width=1280, height=900, scheme="light", before="", **options):
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, **options
        )
        contexts.append(context)
        if before:
            context.add_init_script(before)
        local = name.startswith("file:")
        visited = Visit(context, "file:" if local else home)
        visited.page.goto(name if local else home + name)
        visited.settle()
        return visited

    yield open_page
    for context in contexts:
        context.close()
