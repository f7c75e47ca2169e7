/* The playground: sets up a network, lets this book's package train it in a worker, and shows how it
   comes to see the plane. Nothing is loaded before the reader's first click on Train or One epoch. */
(() => {
  "use strict";
  const base = new URL(".", document.currentScript.src);
  const root = document.querySelector(".nn-playground");
  if (!root) return;
  const EDGE = 1.3, FIELD = 64, UNIT = 26, MOST_POINTS = 300;  // as in playground_engine.py
  const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const BY_HAND = "drawn by hand";
  const NEEDS_SERVER = "Training needs a web server: start one in the site’s folder with " +
    "“python -m http.server” and open http://localhost:8000/.";

  function create(tag, className, text = "") {
    const element = document.createElement(tag);
    element.className = className;
    element.textContent = text;
    if (tag === "button") element.type = "button";
    return element;
  }

  // ---- what the page holds ----------------------------------------------------------------------

  const form = root.querySelector("form");
  const selects = [...form.querySelectorAll("select")];
  const stage = create("div", "nn-play-stage");
  const left = create("div", "nn-play-left"), right = create("div", "nn-play-right");
  const plane = create("canvas", "nn-play-plane"), curve = create("canvas", "nn-play-curve");
  const unitRows = create("div", "nn-play-units");
  const numbers = create("p", "nn-play-numbers"), status = create("p", "nn-play-status");
  const tools = create("div", "nn-play-tools"), buttons = create("div", "nn-play-buttons");
  const button = {};
  for (const [name, act] of Object.entries({
    Train: () => (training ? pause() : train()), "One epoch": oneEpoch, "Start again": startAgain,
    "Copy link": copyLink,
  })) {
    button[name] = create("button", name === "Train" ? "nn-play-main" : "", name);
    button[name].addEventListener("click", act);
    buttons.append(button[name]);
  }
  button["Start again"].disabled = true;  // until something has begun
  status.setAttribute("role", "status");
  plane.setAttribute("role", "img");
  curve.setAttribute("role", "img");
  curve.setAttribute("aria-label", "The loss over the epochs, on a logarithmic scale");
  const legend = create("p", "nn-play-legend");
  legend.append(create("span", "nn-play-key-trained", "loss on these points"),
                create("span", "nn-play-key-held", "on those held out"));
  left.append(plane, tools);
  right.append(numbers, curve, legend, unitRows);
  stage.append(left, right);
  form.after(buttons, status, stage);
  root.querySelector(".nn-play-picture").remove();
  root.querySelector(".nn-play-still").remove();
  form.hidden = root.querySelector(".nn-play-help").hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());

  // ---- the setting, and its link ------------------------------------------------------------------

  let drawn = [];  // [x, y, class] by the reader's hand
  const valueOf = (name) => selects.find((select) => select.dataset.name === name).value;
  const setting = () => ({
    ...Object.fromEntries(selects.map((select) => [select.dataset.name, select.value])), points: drawn,
  });

  const digit = (value) => DIGITS[Math.round((value / EDGE + 1) * 31.5)];
  const place = (letter) => (DIGITS.indexOf(letter) / 31.5 - 1) * EDGE;

  function link() {
    const words = new URLSearchParams();
    for (const select of selects) words.set(select.dataset.name.replace(" ", "-"), select.value);
    if (valueOf("data") === BY_HAND)
      words.set("points", drawn.map(([x, y, kind]) => digit(x) + digit(y) + kind).join(""));
    return `${location.href.split("#")[0]}#play?${words}`;
  }

  /* Take over what a link says; what it says wrongly stays as it was. */
  function restore(hash) {
    if (!hash.startsWith("#play?")) return false;
    const words = new URLSearchParams(hash.slice("#play?".length));
    for (const select of selects) {
      const value = words.get(select.dataset.name.replace(" ", "-"));
      if ([...select.options].some((option) => option.value === value)) select.value = value;
    }
    const code = words.get("points") ?? "";
    if (/^([\w-]{2}[012])*$/.test(code))
      drawn = (code.match(/.{3}/g) ?? []).slice(0, MOST_POINTS)
        .map(([x, y, kind]) => [place(x), place(y), Number(kind)]);
    return true;
  }

  async function copyLink() {
    const address = link();
    history.replaceState(null, "", address);
    try {
      await navigator.clipboard.writeText(address);
      say("The link is copied.");
    } catch {
      say("The link is in the address bar.");
    }
  }

  // ---- the worker -----------------------------------------------------------------------------------

  let worker = null, ready = false, training = false;
  let current = 0;  // which setting the worker has been given; older answers are not for us
  let given = false;  // whether the worker has been given the setting that the controls show
  let wanted = null;  // what to do as soon as it is there

  const say = (text) => { status.textContent = text; };

  function start() {
    const { pyodide, wheels } = JSON.parse(document.getElementById("nn-python").textContent);
    const at = (name) => new URL(name, base).href;
    worker = new Worker(at("playground-worker.js"), { type: "module" });
    worker.onmessage = ({ data }) => heard[data.type](data);
    worker.onerror = (event) => {
      event.preventDefault();
      heard.failed({ text: event.message || "this browser has no module workers" });
    };
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    worker.postMessage({ type: "start", pyodide: at(pyodide), wheels: wheels.map(at), pace: still ? 1000 : 50 });
    say("Loading Python into your browser …");
  }

  function make() {
    given = true;
    current += 1;
    worker.postMessage({ type: "make", setting: setting(), number: current });
  }

  /* Have the worker do `act`, starting it and giving it the setting where that has not happened. */
  function ask(act) {
    if (location.protocol === "file:") return say(NEEDS_SERVER);
    wanted = act;
    if (!worker) return start();
    if (!ready) return undefined;
    if (!given) make();
    if (wanted) worker.postMessage({ type: wanted });
    wanted = null;
    return undefined;
  }

  function setTraining(on) {
    training = on;
    button.Train.textContent = on ? "Pause" : "Train";
  }

  function train() {
    ask("train");
    if (worker) setTraining(true);
    if (ready) say("Training.");
  }

  function pause() {
    setTraining(false);
    wanted = null;
    if (ready) worker.postMessage({ type: "pause" });
    say(ready ? "Paused." : "Loading Python into your browser …");
  }

  function oneEpoch() {
    setTraining(false);
    ask("epoch");
    if (ready) say("One epoch more.");
  }

  function startAgain() {
    const goOn = training;
    given = false;
    ask(goOn ? "train" : "pause");
    if (ready) say("New weights.");
  }

  const heard = {
    progress({ bytes }) { say(`Loading Python into your browser, ${(bytes / 1e6).toFixed(0)} MB so far …`); },
    ready() {
      ready = true;
      button["Start again"].disabled = false;
      say(training ? "Training." : "Ready.");
      ask(wanted);
    },
    failed({ text }) {
      worker.terminate();
      worker = null;
      ready = given = false;
      setTraining(false);
      say(`Python could not be loaded: ${text}`);
    },
    problem({ number, text }) {
      if (number !== current) return;
      setTraining(false);
      given = false;  // the next click begins anew
      say(text[0].toUpperCase() + text.slice(1));
    },
    made({ number, points: found, frame }) {
      if (number !== current) return;
      points = { trained: found.trained, triples: new Float32Array(found.triples.slice().buffer) };
      losses = [];
      take(frame);
    },
    frame({ number, frame }) { if (number === current) take(frame); },
  };

  // ---- pictures ---------------------------------------------------------------------------------------

  let points = null, shown = null, losses = [], stale = false, asked = false;
  let tiles = [];  // a canvas a hidden unit, layer by layer

  function take(frame) {
    shown = frame;
    stale = false;
    losses.push(...frame.losses);
    draw();
  }

  function draw() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      drawNumbers();
      drawPlane();
      drawCurve();
      drawUnits();
    });
  }

  const percent = (share) => `${(100 * share).toFixed(0)} %`;

  function drawNumbers() {
    const [trained, held] = shown.right;
    numbers.textContent = stale ? "" : `epoch ${shown.epoch} · ${percent(trained)} right` +
      (held === undefined ? "" : `, ${percent(held)} of those held out`);
    plane.setAttribute("aria-label", plane.tabIndex === 0
      ? "Drawing area: the arrow keys move a cross, space sets a point, 1 to 3 choose its colour, backspace takes the last point away"
      : `The plane, coloured by the class that the network expects, after ${shown.epoch} epochs`);
  }

  function colours() {
    const style = getComputedStyle(root);
    const rgb = (name) => style.getPropertyValue(name).trim().split(/\s+/).map(Number);
    return {
      classes: [0, 1, 2].map((kind) => rgb(`--nn-play-${kind}`)),
      paper: rgb("--nn-play-paper"), plus: rgb("--nn-play-plus"), minus: rgb("--nn-play-minus"),
    };
  }

  const css = ([red, green, blue], alpha = 1) => `rgb(${red} ${green} ${blue} / ${alpha})`;

  /* A canvas's context, at the resolution of the screen. */
  function contextOf(canvas) {
    const { clientWidth: width, clientHeight: height } = canvas, ratio = devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    return { context, width, height };
  }

  /* A picture of side × side squares, whose colours `colourAt` writes into the array it is given. */
  function squares(side, colourAt) {
    const canvas = create("canvas", "");
    canvas.width = canvas.height = side;
    const context = canvas.getContext("2d"), image = context.createImageData(side, side);
    for (let i = 0; i < side * side; i += 1) {
      colourAt(i, image.data.subarray(4 * i, 4 * i + 3));
      image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
    return canvas;
  }

  function drawPlane() {
    const { context, width } = contextOf(plane), { classes, paper } = colours();
    const strength = 0.5, { field, classes: count } = shown;
    if (stale) {
      context.fillStyle = css(paper);
      context.fillRect(0, 0, width, width);
    } else {
      context.imageSmoothingQuality = "high";
      context.drawImage(squares(FIELD, (i, pixel) => {
        for (let channel = 0; channel < 3; channel += 1) {
          let mixed = 0;
          for (let kind = 0; kind < count; kind += 1) mixed += field[i * count + kind] / 255 * classes[kind][channel];
          pixel[channel] = paper[channel] + strength * (mixed - paper[channel]);
        }
      }), 0, 0, width, width);
    }
    const at = (x, y) => [(x / EDGE + 1) * width / 2, (1 - y / EDGE) * width / 2];
    const radius = Math.max(2.2, width / 130);
    const byHand = valueOf("data") === BY_HAND;
    const triples = byHand ? Float32Array.from(drawn.flat()) : stale ? [] : points.triples;
    for (let i = 0; i < triples.length / 3; i += 1) {
      const held = !byHand && i >= points.trained;
      context.beginPath();
      context.arc(...at(triples[3 * i], triples[3 * i + 1]), held ? radius * 0.8 : radius, 0, 2 * Math.PI);
      context.lineWidth = 1.2;
      context.fillStyle = css(held ? paper : classes[triples[3 * i + 2]]);
      context.strokeStyle = css(held ? classes[triples[3 * i + 2]] : paper);
      context.fill();
      context.stroke();
    }
    if (byHand && document.activeElement === plane) {
      const [x, y] = at(...cross);
      context.strokeStyle = css(classes[kindDrawn]);
      context.lineWidth = 2;
      context.strokeRect(x - 7, y - 7, 14, 14);
    }
  }

  function drawCurve() {
    const { context, width, height } = contextOf(curve), { classes } = colours();
    const style = getComputedStyle(root);
    const muted = style.getPropertyValue("--pst-color-text-muted"), rule = style.getPropertyValue("--nn-rule");
    const finite = losses.flat().filter((loss) => loss > 0 && Number.isFinite(loss));
    if (stale || !finite.length) return;
    const high = Math.ceil(Math.log10(Math.max(...finite, 1))), low = Math.floor(Math.log10(Math.min(...finite, 0.5)));
    const inset = 34, x = (epoch) => inset + epoch / Math.max(losses.length - 1, 1) * (width - inset - 4);
    const y = (loss) => 6 + (high - Math.log10(Math.max(loss, 1e-12))) / (high - low) * (height - 12);
    context.font = `12px ${style.getPropertyValue("--nn-sans")}`;
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (let power = low; power <= high; power += 1) {
      context.strokeStyle = rule;
      context.beginPath();
      context.moveTo(inset, y(10 ** power));
      context.lineTo(width, y(10 ** power));
      context.stroke();
      context.fillStyle = muted;
      context.fillText(power < -3 ? `1e${power}` : String(10 ** power), inset - 6, y(10 ** power));
    }
    const skip = Math.max(1, Math.floor(losses.length / width));
    losses[0].forEach((_, part) => {
      context.beginPath();
      losses.forEach((row, epoch) => { if (epoch % skip === 0) context.lineTo(x(epoch), y(row[part])); });
      context.lineWidth = 2;
      context.setLineDash(part ? [4, 3] : []);
      context.strokeStyle = part ? css(classes[1]) : css(classes[0]);
      context.stroke();
    });
  }

  function drawUnits() {
    const layers = stale ? [] : shown.units;
    const counts = layers.map((bytes) => bytes.length / UNIT ** 2);
    if (counts.join() !== tiles.map((row) => row.length).join()) {
      tiles = [];
      unitRows.replaceChildren(...counts.map((count, layer) => {
        const box = create("div", "nn-play-layer");
        const row = create("div", "nn-play-tiles");
        tiles.push(Array.from({ length: count }, () => row.appendChild(create("canvas", ""))));
        row.setAttribute("role", "img");
        row.setAttribute("aria-label", `What each of the ${count} units of hidden layer ${layer + 1} answers over the plane`);
        box.append(create("p", "", `Hidden layer ${layer + 1}, ${count} units`), row);
        return box;
      }));
    }
    const { paper, plus, minus } = colours();
    tiles.forEach((row, layer) => row.forEach((tile, unit) => {
      tile.width = tile.height = UNIT;
      tile.getContext("2d").drawImage(squares(UNIT, (i, pixel) => {
        const value = layers[layer][unit * UNIT ** 2 + i] / 127.5 - 1, hue = value > 0 ? plus : minus;
        for (let channel = 0; channel < 3; channel += 1)
          pixel[channel] = paper[channel] + Math.abs(value) * (hue[channel] - paper[channel]);
      }), 0, 0);
    }));
  }

  // ---- drawing points by hand -------------------------------------------------------------------------

  let kindDrawn = 0, cross = [0, 0], lastDrawn = null;
  const kinds = create("div", "nn-play-kinds");
  kinds.setAttribute("role", "radiogroup");
  kinds.setAttribute("aria-label", "The colour of the next point");
  const radios = ["blue", "orange", "green"].map((name, kind) => {
    const label = create("label", `nn-play-kind-${kind}`), radio = create("input", "");
    radio.type = "radio";
    radio.name = "nn-play-kind";
    radio.checked = kind === 0;
    radio.addEventListener("change", () => { kindDrawn = kind; draw(); });
    label.append(radio, name);
    kinds.append(label);
    return radio;
  });
  const clear = create("button", "", "Clear");
  clear.addEventListener("click", () => { drawn = []; changed(); });
  tools.append(create("span", "", "Draw on the plane in"), kinds, clear);

  function addPoint(x, y) {
    const inside = (value) => Math.max(-EDGE, Math.min(EDGE, value));
    if (drawn.length >= MOST_POINTS) return say(`${MOST_POINTS} points are as many as fit into a link.`);
    drawn.push([inside(x), inside(y), kindDrawn]);
    return changed();
  }

  function drawAt(event) {
    const box = plane.getBoundingClientRect();
    const at = [((event.clientX - box.left) / box.width * 2 - 1) * EDGE, (1 - (event.clientY - box.top) / box.height * 2) * EDGE];
    if (lastDrawn && Math.hypot(at[0] - lastDrawn[0], at[1] - lastDrawn[1]) < 0.09) return;
    lastDrawn = at;
    addPoint(...at);
  }

  plane.addEventListener("pointerdown", (event) => {
    if (valueOf("data") !== BY_HAND) return;
    plane.setPointerCapture(event.pointerId);
    lastDrawn = null;
    drawAt(event);
  });
  plane.addEventListener("pointermove", (event) => { if (plane.hasPointerCapture(event.pointerId)) drawAt(event); });
  plane.addEventListener("keydown", (event) => {
    if (valueOf("data") !== BY_HAND) return;
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (moves[event.key]) {
      cross = cross.map((value, axis) => Math.max(-EDGE, Math.min(EDGE, value + 0.1 * moves[event.key][axis])));
      draw();
    } else if (event.key === " ") addPoint(...cross);
    else if (event.key === "Backspace") {
      drawn.pop();
      changed();
    } else if ("123".includes(event.key)) {
      kindDrawn = Number(event.key) - 1;
      radios[kindDrawn].checked = true;
      draw();
    } else return;
    event.preventDefault();
  });
  for (const name of ["focus", "blur"]) plane.addEventListener(name, draw);

  // ---- changes ------------------------------------------------------------------------------------------

  /* The controls say something else than what is shown. */
  function changed() {
    const byHand = valueOf("data") === BY_HAND, goOn = training;
    tools.hidden = !byHand;
    if (byHand) plane.tabIndex = 0;
    else plane.removeAttribute("tabindex");
    plane.setAttribute("role", byHand ? "application" : "img");
    form.querySelector("[data-name=noise]").disabled = byHand;
    given = false;
    const enough = !byHand || new Set(drawn.map((point) => point[2])).size > 1;
    if (!enough) setTraining(false);
    if (ready && enough) ask(goOn ? "train" : "pause");
    else {
      if (ready) worker.postMessage({ type: "pause" });
      current += 1;  // what is still under way is not wanted any more
      stale = true;
      say(enough ? "Press Train to see this network learn." : "Draw points of two colours or more, then press Train.");
    }
    draw();
  }

  form.addEventListener("change", changed);
  window.addEventListener("hashchange", () => { if (restore(location.hash)) changed(); });
  document.addEventListener("visibilitychange", () => { if (document.hidden && training) pause(); });
  new ResizeObserver(draw).observe(stage);
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });

  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const first = JSON.parse(root.querySelector(".nn-play-first").textContent);
  points = { trained: first.points.trained, triples: new Float32Array(bytes(first.points.triples).buffer) };
  shown = { ...first.frame, field: bytes(first.frame.field), units: first.frame.units.map(bytes) };
  losses = shown.losses;
  tools.hidden = true;
  if (restore(location.hash)) {
    changed();
    root.scrollIntoView({ block: "start" });
  } else {
    say("Press Train: Python is loaded into your browser, and the package of this book learns the points there.");
    draw();
  }
})();
