import { createHash } from "node:crypto";
import { open, readdir, readFile } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { Digest } from "@muster/shared/protocol/primitives";

/** What Node loads or hands to the loader of the system; the rest of a package is never run. */
const CODE = /\.(?:[cm]?js|json|node|wasm|proto|dylib|dll|so(?:\.\d+)*)$/;
/** Read at a time: small enough that nothing else waits while it is hashed. */
const READ_BYTES = 128 * 1024;
const PLATFORMS = new Set(["linux", "darwin", "win32"]);
const ARCHITECTURES = new Set(["x64", "arm64", "arm", "ia32"]);

interface Manifest {
  name: string;
  version: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

/**
 * Digest of the code that an agent runs: of each package that it needs, as it lies on this disk, the files that can be
 * run here, in the order of their names. It changes with the agent, with what it depends on and with nothing else.
 */
export async function measureAgentCode(
  root = dirname(fileURLToPath(import.meta.resolve("@muster/agent/package.json"))),
): Promise<Digest> {
  const packages = await packagesFrom(root);
  const whole = createHash("sha256");
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  for (const [name, directory] of [...packages].sort(([a], [b]) => (a < b ? -1 : 1)))
    for (const file of await codeIn(directory))
      whole.update(
        `${name} ${relative(directory, file).split(sep).join("/")} ${await digestOf(file, buffer)}\n`,
      );
  return `sha256:${whole.digest("hex")}`;
}

/** The package and all that it needs, by name and version. */
async function packagesFrom(root: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const todo = [root];
  for (let directory = todo.pop(); directory !== undefined; directory = todo.pop()) {
    const manifest = JSON.parse(await readFile(join(directory, "package.json"), "utf8")) as Manifest;
    const key = `${manifest.name}@${manifest.version}`;
    if (found.has(key)) continue;
    found.set(key, directory);
    for (const needed of Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })) {
      const at = await locate(needed, directory);
      if (at !== undefined) todo.push(at);
    }
  }
  return found;
}

/** As Node finds it: in the nearest `node_modules` above; undefined for an optional one that is not there. */
async function locate(name: string, from: string): Promise<string | undefined> {
  for (let above = from; ; above = dirname(above)) {
    const at = join(above, "node_modules", name);
    if (await readFile(join(at, "package.json")).then(Boolean, () => false)) return at;
    if (dirname(above) === above) return undefined;
  }
}

async function codeIn(directory: string): Promise<string[]> {
  const files: string[] = [];
  const entries = await readdir(directory, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) {
      if (entry.name !== "node_modules" && runsHere(entry.name)) files.push(...(await codeIn(path)));
    } else if (CODE.test(entry.name)) files.push(path);
  }
  return files;
}

/** Packages carry the libraries of all machines in folders of their names. */
const runsHere = (name: string): boolean =>
  !(PLATFORMS.has(name) && name !== process.platform) && !(ARCHITECTURES.has(name) && name !== process.arch);

async function digestOf(file: string, buffer: Buffer): Promise<string> {
  const hash = createHash("sha256");
  const handle = await open(file);
  try {
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.byteLength, null);
      hash.update(buffer.subarray(0, bytesRead));
      if (bytesRead < buffer.byteLength) return hash.digest("hex");
    }
  } finally {
    await handle.close();
  }
}
