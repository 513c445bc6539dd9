import { readdir, rm } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/**
 * Bundles the agent core into `dist/bundle`: TypeBox and what else is pure JavaScript of ours, without what is never
 * called. Loading a tenth of the modules saves 13 MiB of resident memory on every box.
 */
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const { metafile } = await build({
  entryPoints: [here("dist/main.js")],
  outdir: here("dist/bundle"),
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  sourcemap: "linked",
  logLevel: "warning",
  metafile: true,
  external: [
    "better-sqlite3",
    "commander",
    "mqtt",
    "node-forge",
    "onnxruntime-node",
    "pino",
    "systeminformation",
    "tuf-js",
    "tweetnacl",
    "@tufjs/models",
  ],
});

// Evidence names the digest of everything that lies there: parts of an earlier build must not.
const written = new Set(Object.keys(metafile.outputs).map((file) => basename(file)));
for (const file of await readdir(here("dist/bundle")))
  if (!written.has(file)) await rm(here(`dist/bundle/${file}`));
