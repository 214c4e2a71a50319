// Builds the dashboard: one script, one style sheet, one page, each with its gzip beside it and a
// list (`assets.tsv`) from which the crate `scrimp-dashboard` embeds them.
//
//   node build.mjs [--out DIR]      DIR is `dist` unless told otherwise

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({ options: { out: { type: "string", default: join(here, "dist") } } });
const out = values.out;

const TYPES = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  txt: "text/plain; charset=utf-8",
};

/** The bundles, by their name without the digest: `main.js`, `main.css`, `theme.js`. */
async function bundle() {
  const result = await build({
    absWorkingDir: here,
    entryPoints: ["src/main.tsx", "src/theme.ts"],
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2022",
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: "none",
    outdir: "out",
    write: false,
    logLevel: "warning",
  });
  const name = (path) => path.split(/[\\/]/).at(-1);
  return Object.fromEntries(result.outputFiles.map((file) => [name(file.path), file.contents]));
}

/** What the licences of the bundled packages ask to be passed on. */
function licences() {
  const text = (name) => {
    const manifest = JSON.parse(readFileSync(join(here, "node_modules", name, "package.json")));
    const licence = readFileSync(join(here, "node_modules", name, "LICENSE"), "utf8").trim();
    return `${name} ${manifest.version}\n\n${licence}\n`;
  };
  return Buffer.from(["preact", "uplot"].map(text).join(`\n${"-".repeat(80)}\n\n`));
}

const digest = (bytes) => createHash("sha256").update(bytes).digest("hex").slice(0, 16);
const extension = (path) => path.split(".").at(-1);

const assets = new Map();
const named = { "icon.svg": readFileSync(join(here, "src/icon.svg")), ...(await bundle()) };
let page = readFileSync(join(here, "src/index.html"), "utf8");
for (const [name, bytes] of Object.entries(named)) {
  const path = `assets/${name.replace(/\.(?=[a-z]+$)/, `-${digest(bytes)}.`)}`;
  assets.set(path, bytes);
  page = page.replaceAll(`{{${name}}}`, path);
}
const missing = page.match(/\{\{.*?\}\}/);
if (missing) throw new Error(`src/index.html names ${missing[0]}, which the build does not make`);
assets.set("assets/licences.txt", licences());
assets.set("index.html", Buffer.from(page));

rmSync(out, { recursive: true, force: true });
mkdirSync(join(out, "assets"), { recursive: true });
let total = 0;
const rows = [...assets].map(([path, bytes]) => {
  const packed = gzipSync(bytes, { level: 9 });
  total += packed.length;
  writeFileSync(join(out, path), bytes);
  writeFileSync(join(out, `${path}.gz`), packed);
  return [path, TYPES[extension(path)], digest(bytes)].join("\t");
});
writeFileSync(join(out, "assets.tsv"), `${rows.join("\n")}\n`);
console.log(`${assets.size} files, ${(total / 1000).toFixed(1)} kB gzipped`);
