/* Lets the reader edit and run the code cells where they stand. Nothing is loaded before the first
   click: then the editor on editing, and Python, in a worker, on running. Without this script, or
   from a file, the page is the book that it is. */
(() => {
  "use strict";
  const base = new URL(".", document.currentScript.src);
  const NEEDS_SERVER = "Running needs a web server: start one in the site's folder with " +
    "“python -m http.server” and open http://localhost:8000/.";
  const cells = new Map();  // by number, those that are on the page

  function create(tag, className, text = "") {
    const element = document.createElement(tag);
    element.className = className;
    element.textContent = text;
    if (tag === "button") element.type = "button";
    return element;
  }

  // ---- what a cell shows ----------------------------------------------------------------------

  /* Text as a terminal would leave it: a carriage return begins the line again. */
  const settled = (text) => text.replace(/[^\n]*\r(?!\n)/g, "");

  class Output {
    constructor(cell) {
      this.cell = cell;
      this.box = cell.querySelector(".cell_output");
      this.stored = this.box ? [...this.box.childNodes] : [];
      this.printed = null;  // the block that text is being added to
    }

    begin(wanted) {
      this.wanted = wanted;
      this.pictures = this.stored.filter((node) => node.matches?.("figure, img") || node.querySelector?.("img"));
      this.untouched = true;
      if (this.box) {
        this.box.style.minHeight = `${this.box.offsetHeight}px`;  // the text below stays where it is
        this.box.classList.add("nn-stale");
      }
    }

    clear() {
      this.untouched = false;
      this.printed = null;
      this.box?.replaceChildren();
      this.box?.classList.remove("nn-stale");
    }

    end() {
      if (this.untouched && this.wanted) this.clear();
      this.box?.classList.remove("nn-stale");
      this.box?.style.removeProperty("min-height");
    }

    restore() {
      this.clear();
      this.box?.replaceChildren(...this.stored);
      this.box?.style.removeProperty("min-height");
    }

    add(node) {
      if (!this.box) {
        this.box = create("div", "cell_output docutils container");
        this.cell.append(this.box);
      }
      if (this.untouched) this.clear();
      this.printed = null;
      this.box.append(node);
    }

    block(kind, text) {
      const block = create("div", `output ${kind} notranslate`), highlight = create("div", "highlight");
      block.append(highlight);
      highlight.append(create("pre", "", text));
      this.add(block);
      return block;
    }

    text(stream, text) {
      if (!this.wanted) return;
      if (this.printed?.stream !== stream) {
        const block = this.block(stream === "stderr" ? "stream nn-stderr" : "stream", "");
        this.printed = { stream, text: "", drawn: true, pre: block.querySelector("pre") };
      }
      const printed = this.printed;
      printed.text += text;
      if (printed.drawn) {
        printed.drawn = false;
        requestAnimationFrame(() => {
          printed.drawn = true;
          printed.pre.textContent = settled(printed.text);
        });
      }
    }

    picture(png) {
      if (!this.wanted) return;
      // A figure takes the place of the one that the book has there, with its caption.
      const before = this.pictures.shift();
      const node = before ? before.cloneNode(true) : create("img", "");
      const image = node.matches("img") ? node : node.querySelector("img");
      if (!before) image.alt = "A figure that this cell has drawn";
      image.src = URL.createObjectURL(new Blob([png], { type: "image/png" }));
      image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
      this.add(node);
    }

    shown(mime, content) {
      if (!this.wanted) return;
      if (mime === "image/png") return this.picture(content);
      if (mime === "text/plain") return this.block("text_plain", content);
      const node = create("div", "output text_html");
      if (mime === "text/html") node.innerHTML = content;
      else node.textContent = content;
      this.add(node);
      if (mime !== "text/html") window.MathJax?.typesetPromise?.([node]);
    }

    error(text) {
      this.block("traceback", text);
    }
  }

  // ---- a cell ---------------------------------------------------------------------------------

  class Cell {
    constructor(element, number) {
      this.number = number;
      this.output = new Output(element);
      this.kept = element.classList.contains("tag_remove-output");  // its output is not for the page
      this.element = element;
      this.code = element.querySelector(".cell_input pre");
      this.source = null;  // what the reader wrote; until then the notebook's counts
      this.editor = null;
      if (this.code) this.addControls();
    }

    addControls() {
      this.written = [...this.code.childNodes];
      const controls = create("div", "nn-run");
      controls.setAttribute("role", "group");
      controls.setAttribute("aria-label", `Cell ${this.number}`);
      this.state = create("span", "nn-run-state");
      this.resetButton = this.button("Reset", "Bring back the code and the output of the book", () => this.reset());
      this.editButton = this.button("Edit", "Edit this cell", () => this.edit());
      this.runButton = this.button("Run", "Run this cell, and first those above it (Shift-Enter)",
                                   () => this.waits ? stop() : run(this.number));
      this.resetButton.hidden = true;
      controls.append(this.state, this.resetButton, this.editButton, this.runButton);
      this.element.querySelector(".cell_input").append(controls);
      this.element.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || !event.shiftKey || event.isComposing) return;
        event.preventDefault();
        event.stopPropagation();
        run(this.number);
      }, { capture: true });
      this.code.addEventListener("click", (event) => {
        const chosen = !getSelection().isCollapsed;  // the reader marks something to copy it
        if (!chosen && event.pointerType === "mouse" && location.protocol !== "file:")
          this.edit({ x: event.clientX, y: event.clientY });
      });
    }

    button(name, title, act) {
      const button = create("button", `nn-run-${name.toLowerCase()}`, name);
      button.title = title;
      button.setAttribute("aria-label", `${name} cell ${this.number}`);
      button.addEventListener("click", act);
      return button;
    }

    async edit(point = null) {
      if (location.protocol === "file:") return explain(NEEDS_SERVER);
      if (this.editor) return this.editor.focus(point);
      this.editor = { focus() {} };  // one at a time
      const { openEditor } = await import(new URL("vendor/editor.js", base));
      const text = this.source ?? this.code.textContent.replace(/\n$/, "");
      this.editor = openEditor(this.code, text, {
        label: `Code of cell ${this.number}`,
        changed: (text) => {
          this.source = text;
          this.code.textContent = `${text}\n`;  // which is what copying takes
          this.resetButton.hidden = false;
        },
      });
      this.code.hidden = true;
      this.editButton.hidden = true;
      this.editor.focus(point);
    }

    reset() {
      this.editor?.close();
      this.editor = this.source = null;
      this.code.replaceChildren(...this.written);
      this.code.hidden = this.editButton.hidden = false;
      this.output.restore();
      this.say("");
      this.resetButton.hidden = true;
      this.runButton.focus();
    }

    /* What the cell is at: "waiting", "running", "ran", "failed", or nothing. */
    say(state) {
      this.waits = state === "waiting" || state === "running";
      if (!this.code) return;
      this.state.textContent = state;
      this.element.classList.toggle("nn-waits", this.waits);
      this.element.classList.toggle("nn-running", state === "running");
      this.runButton.textContent = this.waits ? "Stop" : "Run";
      this.runButton.setAttribute("aria-label", `${this.runButton.textContent} cell ${this.number}`);
      if (state === "ran" || state === "failed") this.resetButton.hidden = false;
    }
  }

  // ---- the bar that says what is going on -------------------------------------------------------

  const bar = create("div", "");
  const says = create("span", "nn-run-says"), size = create("span", "nn-run-size");
  const progress = create("progress", "");
  const barButtons = {};

  function buildBar() {
    bar.id = "nn-run-bar";
    bar.setAttribute("role", "region");
    bar.setAttribute("aria-label", "Running the code");
    says.setAttribute("role", "status");
    progress.setAttribute("aria-label", "Loading Python");
    const acts = {
      "Run all": () => run(notebook ? notebook.length : Infinity), Stop: stop, Restart: restart,
      Close: () => { bar.hidden = true; },
    };
    for (const [name, act] of Object.entries(acts)) {
      const button = barButtons[name] = create("button", "", name);
      button.addEventListener("click", act);
    }
    bar.append(says, size, progress, ...Object.values(barButtons));
    document.body.append(bar);
  }

  function explain(text, { loading = false, busy = false } = {}) {
    if (!bar.isConnected) buildBar();
    bar.hidden = false;
    says.textContent = text;
    size.hidden = progress.hidden = !loading;
    barButtons.Stop.hidden = !busy;
    barButtons["Run all"].hidden = barButtons.Restart.hidden = busy || location.protocol === "file:";
    bar.dataset.state = loading ? "loading" : busy ? "running" : "idle";
  }

  function showLoaded(bytes, total) {
    const megabytes = (value) => Math.round(value / 1e6);
    progress.max = total;
    progress.value = Math.min(bytes, total);
    size.textContent = `${megabytes(progress.value)} of ${megabytes(total)} MB`;
  }

  // ---- Python ---------------------------------------------------------------------------------

  let notebook = null;  // the sources of all code cells, hidden ones included
  let worker = null, started = null, ready = false, running = null;
  let ran = new Set(), queue = [];

  const cellAt = (number) => cells.get(number);
  const sourceOf = (number) => cellAt(number)?.source ?? notebook[number - 1];

  async function start() {
    const { pyodide, wheels, size: total, notebook: address } =
      JSON.parse(document.getElementById("nn-python").textContent);
    const at = (name) => new URL(name, base).href;
    const mine = worker = new Worker(at("run-worker.js"), { type: "module" });
    explain("Loading Python", { loading: true, busy: true });
    showLoaded(0, total);
    mine.onmessage = ({ data }) => { if (mine === worker) heard[data.type](data, total); };
    mine.onerror = (event) => {
      event.preventDefault();
      if (mine === worker) heard.failed({ text: event.message || "this browser has no module workers" });
    };
    const response = await fetch(at(address));
    if (!response.ok) throw new Error(`${address} answers with ${response.status}`);
    const text = await response.text();
    notebook = JSON.parse(text).cells.filter((cell) => cell.cell_type === "code").map((cell) => [cell.source].flat().join(""));
    const name = new URL(at(address)).pathname.split("/").pop();
    mine.postMessage({ type: "start", pyodide: at(pyodide), wheels: wheels.map(at), notebook: { name, text } });
  }

  /* What the worker tells. */
  const heard = {
    progress({ bytes }, total) { showLoaded(bytes, total); },
    ready() {
      ready = true;
      next();
    },
    failed({ text }) {
      forget();
      explain(`Python could not be loaded: ${text}`);
    },
    text({ cell, stream, text }) { cellAt(cell)?.output.text(stream, text); },
    shown({ cell, mime, content }) { cellAt(cell)?.output.shown(mime, content); },
    error({ cell, text }) { cellAt(cell)?.output.error(text); },
    done({ cell, right }) {
      cellAt(cell)?.output.end();
      cellAt(cell)?.say(right ? "ran" : "failed");
      running = null;
      if (right) {
        ran.add(cell);
        next();
      } else {
        for (const { number } of queue) cellAt(number)?.say("");
        queue = [];
        explain(`Cell ${cell} failed`);
        cellAt(cell)?.element.scrollIntoView({ block: "nearest" });
      }
    },
  };

  function next() {
    running = queue.shift() ?? null;
    if (!running) return explain("Ready");
    const { number, asked } = running, cell = cellAt(number);
    explain(`Running cell ${number} of ${notebook.length}`, { busy: true });
    cell?.say("running");
    cell?.output.begin(asked || !cell.kept);
    worker.postMessage({ type: "run", cell: number, source: sourceOf(number) });
  }

  /* Start Python where it isn't; tell whether it is still wanted when it has been sent its way. */
  async function python() {
    const mine = started ??= start();
    try {
      await mine;
    } catch (error) {
      if (mine === started) heard.failed({ text: error.message });
    }
    return mine === started;
  }

  /* Run a cell, after those above it that have not run. */
  async function run(number) {
    if (location.protocol === "file:") return explain(NEEDS_SERVER);
    if (!await python()) return;
    const last = Math.min(number, notebook.length);
    const waiting = new Set(queue.map((item) => item.number).concat(running?.number ?? []));
    for (let above = 1; above <= last; above += 1) {
      const asked = above === last;
      if (waiting.has(above) || (ran.has(above) && !asked)) continue;
      queue.push({ number: above, asked });
      cellAt(above)?.say("waiting");
    }
    if (ready && !running) next();
  }

  /* End the worker, with all that it knows. */
  function forget() {
    worker?.terminate();
    for (const cell of cells.values()) {
      if (cell.waits) {
        cell.output.end();
        cell.say("");
      }
    }
    worker = started = running = null;
    ready = false;
    ran = new Set();
    queue = [];
  }

  function stop() {
    forget();
    explain("Stopped: the next run starts anew");
  }

  function restart() {
    forget();
    python();
  }

  for (const element of document.querySelectorAll('div.cell[class*="nn-cell-"]')) {
    const number = Number(/nn-cell-(\d+)/.exec(element.className)[1]);
    cells.set(number, new Cell(element, number));
  }
})();
