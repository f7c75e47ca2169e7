/* The search page: first what can be linked to, equations, functions, terms and the like, then the
   pages whose text has the words, which Sphinx's own search finds. */
(() => {
  "use strict";
  const AT_MOST = { equation: 6, exercise: 3, work: 3 }, OTHERS = 5;  // of a kind
  const FIRST = ["term", "class", "function", "exception", "value", "equation", "theorem", "lemma", "proposition",
                 "corollary", "definition", "method", "attribute", "figure", "exercise", "work"];
  const stemmer = new Stemmer();

  // In this book one initialises and standardises; readers may spell it with a z.
  const plain = (text) => text.toLowerCase().replace(/iz(?=[aei])/g, "is");
  const split = (text, gap) => plain(text).split(gap).filter(Boolean).map((word) => stemmer.stemWord(word));
  const asked = (text) => split(text, /[^\p{Letter}\p{Number}_]+/u);
  const stems = (text) => [...asked(text), ...split(text, /[^\p{Letter}\p{Number}]+/u)];

  // A word, or what it is short for: init, initialisation.
  const short = (a, b) => a.length > 3 && b.startsWith(a) && !b.includes("_");
  const has = (given, wanted) =>
    given.has(wanted) || [...given].some((word) => short(word, wanted) || short(wanted, word));

  function score([kind, title, words, chapter, , anchor], query, wanted) {
    const name = plain(title), last = plain(title.split(".").pop());
    const order = FIRST.length - FIRST.indexOf(kind);
    if (plain(anchor.replace("equation-", "")) === query) return 1000;
    if (name === query || last === query) return 900 + order;
    if (last.startsWith(query)) return 700 + order;
    // What an equation is called is the section that it stands in and the words of its label.
    const named = new Set(stems(kind === "equation" ? `${title} ${words}` : title));
    const near = new Set([...named, ...stems(words)]);
    if (wanted.every((word) => has(named, word))) return 500 + order;
    if (wanted.every((word) => has(near, word))) return 300 + order;
    const all = new Set([...near, ...stems(chapter)]);
    return wanted.every((word) => has(all, word)) && wanted.some((word) => has(near, word)) ? 100 + order : 0;
  }

  function matching(text) {
    const query = plain(text).trim(), wanted = asked(text), count = {};
    if (!wanted.length) return [];
    return window.nnEntries
      .map((entry) => [score(entry, query, wanted), entry])
      .filter(([points]) => points > 0)
      .sort((a, b) => b[0] - a[0])
      .map(([, entry]) => entry)
      .filter(([kind]) => (count[kind] = (count[kind] ?? 0) + 1) <= (AT_MOST[kind] ?? OTHERS));
  }

  function item([kind, title, , chapter, page, anchor, text]) {
    const listed = document.createElement("li");
    const link = listed.appendChild(document.createElement("a"));
    link.href = `${page}.html#${anchor}`;
    link.textContent = title;
    const where = listed.appendChild(document.createElement("span"));
    where.className = "nn-where";
    where.textContent = `${kind}, in ${chapter}`;
    if (text) {
      const shown = listed.appendChild(document.createElement("div"));
      shown.className = kind === "equation" ? "math" : "nn-says";
      shown.textContent = text;
    }
    return listed;
  }

  async function typeset(boxes) {
    if (!boxes.length) return;
    if (!window.MathJax) {
      window.MathJax = { ...window.nnMathJax, startup: { typeset: false } };
      const script = document.createElement("script");
      script.src = `${document.documentElement.dataset.content_root}_static/mathjax/tex-chtml.js`;
      document.head.append(script);
      await new Promise((resolve) => { script.onload = resolve; });
    }
    await window.MathJax.startup.promise;
    await window.MathJax.typesetPromise(boxes);
  }

  function showEntries(query) {
    const found = matching(query);
    if (!found.length) return 0;
    const list = document.createElement("ul");
    list.className = "nn-found";
    list.append(...found.map(item));
    const heading = document.createElement("h2");
    heading.className = "nn-places";
    heading.textContent = "Places";
    document.getElementById("search-results").prepend(heading, list);
    typeset([...list.querySelectorAll(".math, .nn-says")]);
    return found.length;
  }

  const inText = Search.query;
  Search.performObjectSearch = () => [];  // these are among the places
  Search.query = (query) => {
    Search._index.indexentries = {};  // and so are these
    const places = showEntries(query);
    inText(query);
    if (places && !Search.output.children.length) Search.status.textContent = "No page has these words in its text.";
  };
})();
