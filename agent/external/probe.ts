import { execFile } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { promisify } from "node:util";
import type { ExternalRuntime } from "./runtime.ts";

const run = promisify(execFile);

/** Longest probe, milliseconds. */
const PROBE_TIMEOUT_MS = 30_000;

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Where the program is, or undefined when it is nowhere. */
export function programOf(command: string): string | undefined {
  const places = isAbsolute(command)
    ? [command]
    : (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, command));
  return places.find(isProgram);
}

/** Whether the runtime can be used on this box: its probe ends with 0, or without one its program is there. */
export async function probeRuntime({ command, probe, env }: ExternalRuntime): Promise<boolean> {
  if (!programOf(command)) return false;
  if (!probe) return true;
  try {
    await run(command, probe, {
      timeout: PROBE_TIMEOUT_MS,
      killSignal: "SIGKILL",
      maxBuffer: 1024 * 1024,
      env: { ...process.env, ...env, MUSTER_JOIN_TOKEN: "" },
    });
    return true;
  } catch {
    return false;
  }
}
