import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { missingTools } from "./support/tools.ts";

/**
 * Runs every `*.test.js` under `test/dist`, a file a process. Arguments are parts of paths that choose files:
 * `npm test -- unit/shared`. Tools from Debian are installed when this runs as root; what is missing otherwise
 * is named, its tests skip themselves, and under CI=true that is a failure.
 */
const root = dirname(fileURLToPath(import.meta.url));
const wanted = process.argv.slice(2);

const files = readdirSync(root, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".test.js"))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort()
  .map((file) => join(root, file));

if (files.length === 0) {
  console.error(`No test file matches ${wanted.join(" ")}.`);
  process.exit(2);
}

const missing = missingTools();
for (const tool of missing)
  console.error(`SKIPPED: ${tool.tests} (${tool.command} is not installed; Debian: ${tool.packages})`);
if (missing.length > 0 && process.env.CI === "true") process.exit(1);

const started = Date.now();
const child = spawn(process.execPath, ["--enable-source-maps", "--test", "--test-concurrency=2", ...files], {
  stdio: "inherit",
});
child.on("exit", (code, signal) => {
  console.log(
    `${files.length} files under ${relative(process.cwd(), root) || "."} in ${Math.round((Date.now() - started) / 1000)} s`,
  );
  process.exit(signal ? 1 : (code ?? 1));
});
