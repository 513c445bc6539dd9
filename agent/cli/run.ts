import { setTimeout as delay } from "node:timers/promises";
import { asMusterError } from "@muster/shared/errors";
import { startAgent } from "../agent.ts";
import type { Settings } from "../config/settings.ts";
import { makeLog } from "../log.ts";
import { AGENT_VERSION } from "../version.ts";
import { EXIT } from "./exit-codes.ts";

/**
 * Runs the agent until it is told to end.
 * @returns the exit code
 * @throws MusterError when it cannot go on
 */
export async function runAgent(settings: Settings): Promise<number> {
  const log = makeLog(settings.logLevel);
  process.on("uncaughtException", (error) => {
    log.fatal({ err: error }, "unforeseen; what is stored is safe, start the agent again");
    process.exit(EXIT.failed);
  });
  log.info({ version: AGENT_VERSION, data: settings.data }, "the agent starts");
  let fail: (error: unknown) => void = () => undefined;
  const ended = new Promise<string>((resolve, reject) => {
    fail = reject;
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, resolve);
  });
  const agent = await startAgent(settings, log, fail);
  log.info({ pid: process.pid }, "the agent runs");
  try {
    const signal = await ended;
    log.info({ signal }, "the agent ends");
    return EXIT.ok;
  } catch (cause) {
    const { code, message } = asMusterError(cause);
    log.fatal({ code }, message);
    throw cause;
  } finally {
    const inTime = await Promise.race([
      agent.stop().then(() => true),
      delay(settings.stopSeconds * 1000, false, { ref: false }),
    ]);
    log.info({ inTime }, "the agent has ended");
  }
}
