import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const STATIC_IMPORT = /^(?:import|export)\b[^;]*?from "([^"]+)";|^import "([^"]+)";/gm;

/** Packages that a module loads at its start, through all modules that it imports statically. */
function packagesOf(entry: string): Set<string> {
  const packages = new Set<string>();
  const seen = new Set<string>();
  const visit = (url: string): void => {
    if (seen.has(url)) return;
    seen.add(url);
    for (const [, from, bare] of readFileSync(fileURLToPath(url), "utf8").matchAll(STATIC_IMPORT)) {
      const name = from ?? bare ?? "";
      if (name.startsWith(".")) visit(new URL(name, url).href);
      else if (name.startsWith("@muster/")) visit(import.meta.resolve(name));
      else if (!name.startsWith("node:")) packages.add(name);
    }
  };
  visit(import.meta.resolve(entry));
  return packages;
}

test("a runner starts with the runtime alone: every package more costs each box its memory", () => {
  assert.deepEqual([...packagesOf("@muster/agent/runner/main")], ["onnxruntime-node"]);
});
