"""The playground, as a reader uses it, in Chromium with Pyodide served from beside the site."""

from __future__ import annotations

import re

import pytest
from browser import inaccessible, sideways

PAGES = ["index.html", "14_spiral.html"]
# Python comes from the same server, whatever the site was built with.
PYTHON_FROM_HERE = """document.addEventListener("DOMContentLoaded", () => {
    const said = document.getElementById("nn-python");
    const known = JSON.parse(said.textContent);
    known.pyodide = `${location.origin}/pyodide/`;
    said.textContent = JSON.stringify(known);
})"""
PATIENCE = 180_000  # ms: loading Python, and learning, on a busy machine


class Playground:
    """What a reader does with it, and sees."""

    def __init__(self, page):
        self.page = page
        self.root = page.locator(".nn-playground")
        self.plane = self.root.locator(".nn-play-plane")
        page.set_default_timeout(PATIENCE)

    def press(self, name):
        self.root.get_by_role("button", name=name, exact=True).click()

    def choose(self, **values):
        for name, value in values.items():
            self.root.locator(f"#nn-play-{name.replace('_', '-')}").select_option(value)

    def values(self):
        return self.root.locator("select").evaluate_all("nodes => nodes.map(node => node.value)")

    def numbers(self):
        """Epoch, and the shares of right answers in per cent."""
        return [
            int(n) for n in re.findall(r"\d+", self.root.locator(".nn-play-numbers").inner_text())
        ]

    def status(self):
        return self.root.locator(".nn-play-status").inner_text()

    def await_status(self, words):
        self.root.locator(".nn-play-status", has_text=words).wait_for(timeout=PATIENCE)

    def await_numbers(self, condition):
        """Wait until `condition`, JavaScript of `epoch`, `right` and `held`, is true."""
        self.page.wait_for_function(
            f"""() => {{
                const text = document.querySelector(".nn-play-numbers").textContent;
                const [epoch, right, held] = (text.match(/\\d+/g) ?? []).map(Number);
                return {condition};
            }}""",
            timeout=PATIENCE,
        )

    def pixels(self):
        """The plane as it is drawn, as a data URL."""
        return self.plane.evaluate("canvas => canvas.toDataURL()")

    def tiles(self):
        return self.root.locator(".nn-play-tiles").evaluate_all(
            "rows => rows.map(row => row.childElementCount)"
        )


@pytest.fixture
def play(visit, pyodide):
    def open_playground(name="index.html", **options):
        return Playground(visit(name, before=PYTHON_FROM_HERE, **options).page)

    return open_playground


@pytest.mark.parametrize("name", PAGES)
def test_page_shows_a_learned_picture_and_loads_no_python_before_a_click(visit, name):
    opened = visit(name)
    seen = Playground(opened.page)
    assert not opened.complaints()
    assert not any("pyodide" in url or "worker" in url or ".whl" in url for url in opened.requests)
    epoch, right, held = seen.numbers()
    assert epoch > 0 and min(right, held) > 90
    assert (
        seen.plane.evaluate(
            """canvas => {
            const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return new Set(new Uint32Array(data.buffer)).size;
        }"""
        )
        > 100
    )  # a picture with its shades, not a blank


def test_every_control_is_explained_and_leads_to_its_chapter(visit, site):
    page = visit("index.html").page
    for control in page.locator(".nn-play-control").all():
        name = control.locator("label").inner_text()
        link = control.locator("a").get_attribute("href")
        assert (site / link).is_file(), link
        said = page.locator(f'.nn-play-help dt:text-is("{name}") + dd')
        assert said.locator(f'a[href="{link}"]').count() == 1
        assert len(said.inner_text(timeout=5_000) or said.text_content()) > 40, name


def numbers_at_rest(seen):
    """The numbers, once they have stayed the same for a second: a busy machine takes its time."""
    numbers = None
    while numbers != (now := seen.numbers()):
        numbers = now
        seen.page.wait_for_timeout(1000)
    return numbers


def test_reader_trains_changes_pauses_and_starts_again(play):
    seen = play()
    before, (at_first, *_) = seen.pixels(), seen.numbers()
    seen.press("Train")
    seen.await_status("Training.")
    seen.await_numbers(f"epoch > 60 && epoch !== {at_first} && right >= 97 && held >= 95")
    assert seen.status() == "Training." and seen.tiles() == [16, 16]
    assert seen.pixels() != before
    seen.choose(data="moons", layers="1", units="8", activation="ReLU", optimizer="Momentum")
    seen.page.wait_for_function("document.querySelectorAll('.nn-play-tiles canvas').length === 8")
    seen.await_numbers("epoch > 5 && held >= 95")
    seen.press("Pause")
    seen.await_status("Paused.")
    seen.press("One epoch")
    (epoch, *_), picture = numbers_at_rest(seen), seen.pixels()
    seen.press("One epoch")
    seen.await_numbers(f"epoch === {epoch + 1}")
    seen.press("Start again")
    seen.await_numbers("epoch === 0")
    assert seen.pixels() != picture
    seen.choose(layers="0")
    seen.page.wait_for_function("!document.querySelector('.nn-play-tiles')")


def test_points_are_drawn_by_pointer_and_keyboard_learned_and_shared(play):
    seen = play()
    seen.choose(data="drawn by hand", layers="1", learning_rate="0.1", batch="all")
    assert "two colours" in seen.status()
    seen.plane.scroll_into_view_if_needed()
    box = seen.plane.bounding_box()
    for x in (0.2, 0.3):
        seen.page.mouse.click(box["x"] + x * box["width"], box["y"] + 0.5 * box["height"])
    seen.plane.focus()
    seen.page.keyboard.press("2")
    for _ in range(6):
        seen.page.keyboard.press("ArrowRight")
    for key in ("Space", "ArrowUp", "Space", "ArrowUp", "Space", "Backspace"):
        seen.page.keyboard.press(key)
    assert seen.root.get_by_role("radio", name="orange").is_checked()
    seen.press("Copy link")
    link = seen.page.url
    assert re.search(r"&points=([\w-]{2}[01]){4}$", link)
    seen.press("Train")
    seen.await_numbers("epoch > 20 && right === 100")  # nothing was shown before

    shared = play(link.split("/")[-1])
    assert shared.values() == seen.values()
    shared.press("Copy link")
    assert shared.page.url.split("#")[1] == link.split("#")[1]
    shared.press("Train")
    shared.await_numbers("epoch > 20 && right === 100")
    shared.press("Pause")
    shared.press("Clear")
    assert "two colours" in shared.status()


@pytest.mark.parametrize(
    "link",
    [
        "#play?data=nonsense&units=-1&points=<script>alert(1)</script>",
        "#play?points=" + "AA0" * 4000,
        "#play?%%%",
        "#play?data=drawn+by+hand&points=AA9",
        "#elsewhere",
    ],
)
def test_damaged_link_does_no_harm(visit, link):
    opened = visit("index.html" + link)
    seen = Playground(opened.page)
    assert not opened.complaints()
    assert all(seen.values())
    seen.press("Copy link")
    assert len(seen.page.url) < 1_500


def test_training_that_overflows_says_why_and_begins_anew(play):
    seen = play()
    seen.choose(activation="identity", layers="4", units="32", optimizer="SGD", learning_rate="10")
    seen.press("Train")
    seen.await_status("learning rate that is too large")
    assert seen.root.get_by_role("button", name="Train", exact=True).is_visible()
    seen.choose(optimizer="Adam", learning_rate="0.01", activation="tanh", layers="1")
    seen.press("Train")
    seen.await_numbers("epoch > 3")


def test_keyboard_alone_is_enough(play):
    seen = play()
    seen.root.locator("select").first.focus()
    for _ in range(2):  # the next letter that begins a choice chooses it
        seen.page.keyboard.press("m")
    assert seen.values()[0] == "moons"
    for _ in range(60):
        if seen.page.evaluate("document.activeElement.textContent") == "Train":
            break
        seen.page.keyboard.press("Tab")
    seen.page.keyboard.press("Enter")
    seen.await_numbers("epoch > 3")
    seen.page.keyboard.press("Enter")
    seen.await_status("Paused.")


def test_trained_playground_is_accessible_in_both_schemes_and_fits_a_phone(play):
    seen = play()
    seen.choose(units="32")
    seen.press("One epoch")
    seen.await_numbers("epoch === 1")
    seen.root.locator("summary").click()
    assert not sideways(seen.page)
    assert not inaccessible(seen.page, coloured=False)


def test_without_javascript_it_is_a_picture(visit):
    page = visit("index.html", java_script_enabled=False).page
    picture = page.locator(".nn-play-picture")
    assert picture.is_visible()
    assert picture.evaluate("image => image.naturalWidth") == 512
    assert not page.locator(".nn-play-controls").is_visible()


def test_from_a_file_it_says_how_to_serve_it(visit, site):
    opened = visit(f"{site.as_uri()}/index.html")
    seen = Playground(opened.page)
    seen.press("Train")
    assert "web server" in seen.status() and not opened.complaints()
