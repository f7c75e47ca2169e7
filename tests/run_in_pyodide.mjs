/* Runs a Python program in Pyodide, every warning an error, on an installed wheel:

     node run_in_pyodide.mjs FOLDER-OF-PYODIDE WHEEL PROGRAM

   What the program prints is printed. */
import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

const [folder, wheel, program] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(`${folder}/pyodide.mjs`).href);
const python = await loadPyodide({ indexURL: `${folder}/` });
await python.loadPackage("numpy", { messageCallback: () => {} });
python.unpackArchive((await readFile(wheel)).buffer, "wheel");
python.runPython("import warnings; warnings.simplefilter('error')");
try {
  python.runPython(await readFile(program, "utf-8"));
} catch (error) {
  console.error(error.message);  // the traceback, without Pyodide's own source
  process.exit(1);
}
