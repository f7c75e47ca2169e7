/* Loads Pyodide and this build's package, for module workers. */

/* Tell `report` how many bytes all fetches of this worker have read so far. The answers themselves
   are left alone, so that the browser can keep what it compiles of them. */
function watchFetches(report) {
  const fetched = self.fetch;
  let bytes = 0;
  async function count(response) {
    for (const reader = response.body.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) return;
      report(bytes += value.length);
    }
  }
  self.fetch = async (...request) => {
    const response = await fetched(...request);
    if (response.ok && response.body) count(response.clone()).catch(() => {});
    return response;
  };
  return () => { self.fetch = fetched; };
}

async function bytesOf(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address} answers with ${response.status}`);
  return response.arrayBuffer();
}

/* Pyodide's object, with `packages` and the `wheels` installed. All addresses are absolute;
   `report` is called with the number of bytes read so far. */
export async function loadPython({ pyodide, wheels, packages = ["numpy", "matplotlib"] }, report) {
  const unwatch = watchFetches(report);
  try {
    const fetchedWheels = Promise.all(wheels.map(bytesOf));
    fetchedWheels.catch(() => {});  // it is awaited below, after Pyodide
    const { loadPyodide } = await import(`${pyodide}pyodide.mjs`);
    const python = await loadPyodide({ indexURL: pyodide, packages });
    for (const wheel of await fetchedWheels) python.unpackArchive(wheel, "wheel");
    return python;
  } finally {
    unwatch();
  }
}
