/* Runs a page's cells, one after the other, away from the page. It is told to `start` once, with
   addresses and the notebook, then to `run` cells; what happens comes back as messages. */
import { loadPython } from "./load-python.js";

const FILES = ["run_cells.py", "page_figures.py"];
let cells;

async function start({ pyodide, wheels, notebook }) {
  const sources = Promise.all(FILES.map(async (name) => {
    const response = await fetch(new URL(name, import.meta.url));
    return [name, await response.text()];
  }));
  const python = await loadPython({ pyodide, wheels },
                                  (bytes) => postMessage({ type: "progress", bytes }));
  // The notebook lies where Jupyter would have it: the checks read the displays from it.
  python.FS.writeFile(notebook.name, notebook.text);
  for (const [name, text] of await sources) python.FS.writeFile(`/lib/${name}`, text);
  python.runPython("import sys; sys.path.append('/lib')", { globals: python.toPy({}) });
  cells = python.pyimport("run_cells").Cells((message, content) => postMessage(
    content === undefined ? JSON.parse(message)
                          : { ...JSON.parse(message), content: content.toJs() }));
}

self.onmessage = async ({ data }) => {
  try {
    if (data.type === "start") {
      await start(data);
      postMessage({ type: "ready" });
    } else {
      const right = cells.run(data.cell, data.source);
      postMessage({ type: "done", cell: data.cell, right });
    }
  } catch (error) {
    postMessage({ type: "failed", text: String(error.message ?? error) });
  }
};
