import { randomUUID } from "node:crypto";
import { isMusterError } from "@muster/shared/errors";
import type { ResultRecord } from "../inference/ports.ts";
import type { Call, Infer, Inferred, Observation, Observer } from "./infer.ts";

/** Longest request id that is kept in results; with the row behind it the result id stays within 128. */
const MAX_ID = 112;

interface Results {
  add(records: readonly ResultRecord[]): void;
  store(records: readonly ResultRecord[]): Promise<void>;
}

/** Ids of results whose requests have none: one random part for the process, then a count. */
const PROCESS_ID = randomUUID();
let unnamed = 0;

/** A request ended so for want of room or time. */
const REFUSALS = ["inference.overloaded", "inference.expired", "inference.deferred"] as const;

/**
 * Puts what was computed on record before it is answered, and tells the observers.
 * @param refused told of each request that nobody answered for want of room or time
 */
export const recorded =
  (next: Infer, results: Results, observers: readonly Observer[], refused: () => void): Infer =>
  async (call) => {
    let inferred: Inferred;
    try {
      inferred = await next(call);
    } catch (error) {
      if (REFUSALS.some((code) => isMusterError(error, code))) refused();
      throw error;
    }
    const at = Date.now();
    for (const observer of observers) tell(observer, { call, inferred, at });
    const records = recordsOf(call, inferred, at);
    if (call.request.durable) await results.store(records);
    else results.add(records);
    return inferred;
  };

/** An onlooker with a fault must not cost anybody an answer. */
function tell(observer: Observer, observation: Observation): void {
  try {
    observer.observe(observation);
  } catch (error) {
    // The supervisor writes what the runner prints into the log.
    console.error(error);
  }
}

/** One result for each row; with several rows the result ids are the request's with `#row` behind. */
function recordsOf({ request, tier }: Call, inferred: Inferred, at: number): ResultRecord[] {
  const { by, verdicts, latencyUs, degraded } = inferred;
  const { name, version, variant, digest, provider } = by;
  const id = request.id?.slice(0, MAX_ID) || `${PROCESS_ID}-${++unnamed}`;
  return verdicts.map((verdict, row) => ({
    at,
    body: {
      id: verdicts.length === 1 ? id : `${id}#${row}`,
      model: name,
      version,
      variant,
      digest,
      provider,
      latencyUs,
      ...(tier === "standard" ? {} : { tier }),
      ...(degraded && { degraded }),
      ...verdict,
    },
  }));
}
