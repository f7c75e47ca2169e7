/* Bundles the editor, with the licences of what it is made of, and writes down what came out:
   tests/test_run_in_page.py holds the bundle to it. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const TARGET = "../../_static/vendor";
const { metafile } = await build({
  entryPoints: ["editor.js"],
  outfile: `${TARGET}/editor.js`,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  banner: { js: "/* CodeMirror 6 (MIT, see editor.LICENSE.txt), bundled by `make editor` */" },
  metafile: true,
});

const names = Object.keys(metafile.inputs)
  .map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1])
  .filter(Boolean);
const packages = {};
let licences = "";
for (const name of [...new Set(names)].sort()) {
  const { version, license } = JSON.parse(readFileSync(`node_modules/${name}/package.json`));
  packages[name] = version;
  licences += `${name} ${version} (${license})\n\n${readFileSync(`node_modules/${name}/LICENSE`, "utf8")}\n\n`;
}
writeFileSync(`${TARGET}/editor.LICENSE.txt`, `${licences.trim()}\n`);
const digest = (path) => createHash("sha256").update(readFileSync(path)).digest("hex");
const made = { packages, entry: digest("editor.js"), bundle: digest(`${TARGET}/editor.js`) };
writeFileSync("bundle.json", `${JSON.stringify(made, null, 2)}\n`);
