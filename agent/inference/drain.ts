import { asMusterError } from "@muster/shared/errors";
import type { LogPort } from "./ports.ts";
import type { RunnerProcess } from "./runner-process.ts";

/** Lets a runner end its connections and go; one that does not within `seconds` is killed. Resolves when it is gone. */
export async function drain(
  runner: RunnerProcess,
  idleConnections: "keep" | "close",
  seconds: number,
  log: LogPort,
): Promise<void> {
  if (runner.ended) return;
  try {
    await runner.ask({ kind: "drain", idleConnections }, "drained", seconds);
  } catch (error) {
    const { code, message } = asMusterError(error);
    log.warn({ runner: runner.pid, code }, `old runner did not end in good order: ${message}`);
  }
  await runner.exited;
}
