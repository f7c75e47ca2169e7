/* Trains the playground's network, away from the page. It is told to `start` once, to `make` what a
   setting says, to `train` or to pause, and to take one `epoch`; frames come back. */
import { loadPython } from "./load-python.js";

let python, engine, made = null, train = null, number = 0, pace = 50, training = false;

const plain = (proxy) => {
  const value = proxy.toJs({ dict_converter: Object.fromEntries });
  proxy.destroy();
  return value;
};

async function start({ pyodide, wheels, pace: milliseconds }) {
  pace = milliseconds;
  const source = fetch(new URL("playground_engine.py", import.meta.url)).then((answer) => answer.text());
  python = await loadPython({ pyodide, wheels, packages: ["numpy"] },
                            (bytes) => postMessage({ type: "progress", bytes }));
  python.FS.writeFile("/lib/playground_engine.py", await source);
  python.runPython("import sys; sys.path.append('/lib')");
  engine = python.pyimport("playground_engine");
  postMessage({ type: "ready" });
}

/* Bytes arrive as views into Python's memory, and leave as copies. */
function send(type, content) {
  postMessage({ type, number, ...content });
}

function make({ setting, number: wanted }) {
  number = wanted;
  training = false;
  train?.destroy();
  made?.destroy();
  made = train = null;
  const given = python.toPy(setting);
  made = engine.Playground(given);
  train = made.train;
  given.destroy();
  send("made", { points: plain(made.points()), frame: plain(made.frame()) });
}

async function keepTraining() {
  while (training) {
    const until = performance.now() + pace;
    do train(); while (performance.now() < until);
    send("frame", { frame: plain(made.frame()) });
    await new Promise((resolve) => { setTimeout(resolve); });
  }
}

const acts = {
  start,
  make,
  train() {
    if (training || !made) return undefined;
    training = true;
    return keepTraining();
  },
  pause() { training = false; },
  epoch() {
    training = false;
    if (!made) return;
    train();
    send("frame", { frame: plain(made.frame()) });
  },
};

self.onmessage = async ({ data }) => {
  try {
    await acts[data.type](data);
  } catch (error) {
    training = false;
    // Of a traceback, what it says at the end.
    const text = String(error.message ?? error).trim().split("\n").pop().replace(/^[\w.]+: /, "");
    postMessage({ type: engine ? "problem" : "failed", number, text });
  }
};
