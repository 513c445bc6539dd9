import { setTimeout as delay } from "node:timers/promises";
import { asMusterError, type ErrorCode, MusterError } from "@muster/shared/errors";
import type { Log } from "../log.ts";
import type { Outbox } from "../outbox/outbox.ts";
import { type Erasure, eraseFiles, markDecommissioned } from "./decommissioned.ts";

export interface WipePorts {
  dataDir: string;
  outbox: Pick<Outbox, "append" | "position">;
  log: Pick<Log, "warn">;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Longest wait for the control plane to store what is told, milliseconds. */
  patienceMs: number;
  /** Ends the agent; what is left goes with it. */
  end: (reason: MusterError) => void;
}

const LOOK_MS = 50;

/**
 * Erases what the fleet gave to this box and what it made for the fleet: says so before and after, over the session that
 * still stands, and ends the agent. It ends also where nobody listens.
 * @param command id of the command
 */
export async function wipe(command: string, ports: WipePorts): Promise<void> {
  const { dataDir, now, log, end } = ports;
  await tell(ports, "command.wiping", `Told to wipe itself by ${command}.`);
  await markDecommissioned(dataDir, command, now());
  const erased = await eraseFiles(dataDir);
  log.warn({ ...erased, command }, "the box was told to wipe itself");
  await tell(ports, "command.wiped", sentenceOf(erased));
  end(new MusterError("agent.decommissioned", "The box was taken out of its fleet and has wiped itself."));
}

function sentenceOf({ files, bytes, left }: Erasure): string {
  const what = `Erased ${files} files (${Math.ceil(bytes / 1024)} KiB): keys, models, examples and secrets; results and journal follow as it ends.`;
  return left.length === 0 ? what : `${what} Not erased: ${left.join(", ").slice(0, 500)}.`;
}

/** Tells an event and waits a while until it is stored. */
async function tell(
  { outbox, now, log, patienceMs }: WipePorts,
  code: ErrorCode,
  message: string,
): Promise<void> {
  try {
    const seq = outbox.append([{ kind: "event", at: now(), body: { code, message } }]);
    for (let waited = 0; waited < patienceMs && outbox.position().ackedSeq < seq; waited += LOOK_MS)
      await delay(LOOK_MS);
  } catch (error) {
    log.warn({ code: asMusterError(error).code }, "the wipe could not be told");
  }
}
