import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
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
  .sort();

/** A test that takes longer hangs, milliseconds: it fails, and the others go on. */
const HANGING_MS = 600_000;

if (files.length === 0) {
  console.error(`No test file matches ${wanted.join(" ")}.`);
  process.exit(2);
}

const missing = missingTools();
for (const tool of missing)
  console.error(`SKIPPED: ${tool.tests} (${tool.command} is not installed; Debian: ${tool.packages})`);
if (missing.length > 0 && process.env.CI === "true") process.exit(1);

async function run(chosen: readonly string[], atOnce: number): Promise<boolean> {
  if (chosen.length === 0) return true;
  const started = performance.now();
  const args = [
    ...["--enable-source-maps", "--test", `--test-concurrency=${atOnce}`, "--test-reporter=spec"],
    `--test-timeout=${HANGING_MS}`,
  ];
  const child = spawn(process.execPath, [...args, ...chosen.map((file) => join(root, file))], {
    stdio: ["inherit", "pipe", "inherit"],
  });
  let summary = "";
  child.stdout.on("data", (chunk: Buffer) => {
    process.stdout.write(chunk);
    summary = (summary + chunk).slice(-10_000);
  });
  const [code] = await once(child, "close");
  console.log(`${chosen.length} files in ${Math.round((performance.now() - started) / 1000)} s`);
  const skipped = Number(/^ℹ skipped (\d+)$/m.exec(summary)?.[1] ?? 0);
  if (skipped > 0 && process.env.CI === "true")
    console.error(`${skipped} tests were skipped; CI allows none.`);
  return code === 0 && (skipped === 0 || process.env.CI !== "true");
}

/** Whole fleets of processes have the machine for themselves. */
const needsTheMachine = (file: string): boolean => file.startsWith("e2e");
const passed = await run(
  files.filter((file) => !needsTheMachine(file)),
  2,
);
const wholePassed = await run(files.filter(needsTheMachine), 1);
process.exit(passed && wholePassed ? 0 : 1);
