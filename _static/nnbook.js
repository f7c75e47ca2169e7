/* A reference shows what it refers to, on hovering or when it has the focus: an equation, figure,
   theorem, exercise, chapter, term, work or name. The build puts all of it into the page, so nothing
   is fetched. Everything else on these pages works without a script. */
(() => {
  "use strict";
  const WAIT = 120;  // milliseconds: a pointer that only passes opens and closes nothing
  const read = (id) => JSON.parse(document.getElementById(id)?.textContent ?? "{}");
  const equations = read("nn-equations");  // LaTeX by label
  const cards = read("nn-cards");  // HTML by address
  const card = document.createElement("div");
  card.id = "nn-equation";
  card.setAttribute("role", "tooltip");
  card.hidden = true;
  const boxes = new Map();  // what was shown once is kept, its mathematics set
  let shownFor = null, waiting = 0;

  const labelOf = (link) => link.hash.startsWith("#equation-") ? link.hash.slice("#equation-".length) : "";
  const hasCard = (link) =>
    Object.hasOwn(equations, labelOf(link)) || Object.hasOwn(cards, link.getAttribute("href"));

  function boxFor(link) {
    const box = document.createElement("div");
    if (Object.hasOwn(equations, labelOf(link))) {
      box.className = "math";
      box.textContent = `\\[${equations[labelOf(link)]}\\]`;
    } else {
      box.innerHTML = cards[link.getAttribute("href")];
    }
    return box;
  }

  async function typeset(box) {
    if (!box.matches(".math") && !box.querySelector(".math")) return;
    if (!window.MathJax?.startup) return;
    await window.MathJax.startup.promise;
    await window.MathJax.typesetPromise([box]);
  }

  async function show(link) {
    clearTimeout(waiting);
    shownFor = link;
    card.style.visibility = "hidden";
    card.hidden = false;
    const address = link.getAttribute("href");
    if (!boxes.has(address)) {
      const box = boxFor(link);
      card.replaceChildren(box);  // mathematics is set where it has a size
      await Promise.all([typeset(box), ...[...box.querySelectorAll("img")].map((image) => image.decode().catch(() => {}))]);
      boxes.set(address, box);
    }
    if (shownFor !== link) return;
    card.replaceChildren(boxes.get(address));
    card.scrollTop = 0;
    place();
    card.style.visibility = "visible";
    link.setAttribute("aria-describedby", card.id);
  }

  function place() {
    if (!shownFor || card.hidden) return;
    const at = shownFor.getBoundingClientRect(), size = card.getBoundingClientRect();
    const left = Math.min(Math.max(8, at.left + at.width / 2 - size.width / 2),
                          document.documentElement.clientWidth - size.width - 8);
    const above = at.top - size.height - 8;
    const below = Math.min(at.bottom + 8, document.documentElement.clientHeight - size.height - 8);
    card.style.left = `${Math.max(8, left)}px`;
    card.style.top = `${above > 8 ? above : Math.max(8, below)}px`;
  }

  function hide() {
    clearTimeout(waiting);
    shownFor?.removeAttribute("aria-describedby");
    shownFor = null;
    card.hidden = true;
  }

  function soon(action, ...given) {
    clearTimeout(waiting);
    waiting = setTimeout(action, WAIT, ...given);
  }

  function openTarget() {
    // Most browsers open a <details> around the target of a link by themselves.
    const target = location.hash.startsWith("#check-") && document.getElementById(location.hash.slice(1));
    const folded = target && target.closest("details");
    if (folded && !folded.open) {
      folded.open = true;
      target.scrollIntoView();
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.body.append(card);
    for (const link of document.querySelectorAll('article a.reference.internal[href*="#"]')) {
      if (!hasCard(link)) continue;
      link.removeAttribute("title");  // the card says more
      link.addEventListener("mouseenter", () => soon(show, link));
      link.addEventListener("mouseleave", () => soon(hide));
      link.addEventListener("focus", () => show(link));
      link.addEventListener("blur", hide);
    }
    // The pointer may go to the card, to scroll what is long.
    card.addEventListener("mouseenter", () => clearTimeout(waiting));
    card.addEventListener("mouseleave", () => soon(hide));
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
    document.addEventListener("scroll", place, { passive: true, capture: true });
    document.addEventListener("click", (event) => {
      if (event.target.closest("a.nn-ran")) setTimeout(openTarget);
    });
    window.addEventListener("hashchange", openTarget);
    openTarget();
  });
})();

/* A box whose content goes on beyond its right edge says so: the style sheet lets it fade there. */
(() => {
  "use strict";
  const BOXES = ".bd-article table, .bd-article pre, .bd-article span.math, .bd-article mjx-container";
  const LEAST = 2, NARROW = 150;  // pixels: rounding is no content, a short formula no box
  const mark = (box) => {
    const beyond = box.scrollWidth - box.clientWidth - box.scrollLeft;
    box.classList.toggle("nn-more", beyond > LEAST && box.clientWidth > NARROW);
  };
  const markAll = () => document.querySelectorAll(BOXES).forEach(mark);
  document.addEventListener("scroll", (event) => {
    if (event.target instanceof Element && event.target.matches(BOXES)) mark(event.target);
  }, {capture: true, passive: true});
  document.addEventListener("toggle", markAll, {capture: true});  // what was folded had no size
  document.addEventListener("click", () => setTimeout(markAll, 0));
  addEventListener("resize", markAll);
  addEventListener("load", async () => {
    await window.MathJax?.startup?.promise;
    markAll();
  });
})();
