/* A reference to an equation shows the equation, on hovering or when it has the focus. Everything
   else on these pages works without a script. */
(() => {
  "use strict";
  const data = document.getElementById("nn-equations");
  const latex = data ? JSON.parse(data.textContent) : {};
  const card = document.createElement("div");
  card.id = "nn-equation";
  card.setAttribute("role", "tooltip");
  card.hidden = true;
  const typeset = new Map();
  let shownFor = null, waiting = 0;

  function labelOf(link) {
    const label = link.hash.slice("#equation-".length);
    return link.hash.startsWith("#equation-") && Object.hasOwn(latex, label) ? label : null;
  }

  async function equation(label) {
    if (!typeset.has(label)) {
      const box = document.createElement("div");
      box.className = "math";
      box.textContent = `\\[${latex[label]}\\]`;
      card.replaceChildren(box);
      card.hidden = false;
      await window.MathJax.startup.promise;
      await window.MathJax.typesetPromise([box]);
      typeset.set(label, box);
    }
    return typeset.get(label);
  }

  async function show(link) {
    const label = labelOf(link);
    if (!label || !window.MathJax || !window.MathJax.startup) return;
    shownFor = link;
    card.style.visibility = "hidden";
    const box = await equation(label);
    if (shownFor !== link) return;
    card.replaceChildren(box);
    card.hidden = false;
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
    card.style.left = `${Math.max(8, left)}px`;
    card.style.top = `${above > 8 ? above : at.bottom + 8}px`;
  }

  function hide() {
    clearTimeout(waiting);
    if (shownFor) shownFor.removeAttribute("aria-describedby");
    shownFor = null;
    card.hidden = true;
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
    for (const link of document.querySelectorAll('a.reference.internal[href*="#equation-"]')) {
      if (!labelOf(link)) continue;
      link.addEventListener("mouseenter", () => { waiting = setTimeout(show, 120, link); });
      link.addEventListener("mouseleave", hide);
      link.addEventListener("focus", () => show(link));
      link.addEventListener("blur", hide);
    }
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
    document.addEventListener("scroll", place, { passive: true, capture: true });
    document.addEventListener("click", (event) => {
      if (event.target.closest("a.nn-ran")) setTimeout(openTarget);
    });
    window.addEventListener("hashchange", openTarget);
    openTarget();
  });
})();
