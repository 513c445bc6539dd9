import { randomUUID } from "node:crypto";
import type { ResultRecord } from "../inference/ports.ts";
import type { Call, Infer, Inferred, Observer } from "./infer.ts";

/** Longest request id that is kept in results; with the row behind it the result id stays within 128. */
const MAX_ID = 112;

interface Results {
  add(records: readonly ResultRecord[]): void;
  store(records: readonly ResultRecord[]): Promise<void>;
}

/** Puts what was computed on record before it is answered, and tells the observers. */
export const recorded =
  (next: Infer, results: Results, observers: readonly Observer[]): Infer =>
  async (call) => {
    const inferred = await next(call);
    const at = Date.now();
    for (const observer of observers) observer.observe({ call, inferred, at });
    const records = recordsOf(call, inferred, at);
    if (call.request.durable) await results.store(records);
    else results.add(records);
    return inferred;
  };

/** One result for each row; with several rows the result ids are the request's with `#row` behind. */
function recordsOf({ request, tier }: Call, inferred: Inferred, at: number): ResultRecord[] {
  const { by, verdicts, latencyUs, degraded } = inferred;
  const { name, version, variant, digest, provider } = by;
  const id = request.id?.slice(0, MAX_ID) || randomUUID();
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
