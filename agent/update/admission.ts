import { isMusterError } from "@muster/shared/errors";
import type { Activation } from "./activation.ts";
import { type Attempt, type JournalState, sameRelease } from "./journal-state.ts";
import type { JournalEvent } from "./machine.ts";
import type { Clock, InferencePort, LogPort, OutboxPort, ShadowPort } from "./ports.ts";

export interface AdmissionContext {
  journal: { readonly state: JournalState };
  activation: Activation;
  inference: InferencePort;
  shadow: ShadowPort;
  outbox: OutboxPort;
  clock: Clock;
  log: LogPort;
}

/**
 * Decides whether a release that was staged may serve. Where the directive asks for a shadow and something else is
 * live, it runs beside that first; a candidate has had the lowest priority then and is prepared anew to serve.
 */
export async function admit(
  context: AdmissionContext,
  { order }: Attempt,
  signal: AbortSignal,
): Promise<{ event: JournalEvent; also?: () => void } | undefined> {
  const { activation, clock, inference, journal, log, outbox, shadow } = context;
  const { generation, release: candidate, rollout, shadow: rule } = order;
  const live = journal.state.active;
  if (!rule || !candidate || !live || sameRelease(live, candidate)) return { event: { type: "admitted" } };
  await activation.prepare(candidate, false, signal);
  const prepared = activation.candidateOf(candidate);
  if (!prepared) return { event: { type: "admitted" } };
  try {
    const start = (how: Parameters<InferencePort["shadow"]>[1]) => inference.shadow(prepared, how);
    const end = await shadow.run({ generation, rollout, live, candidate, rule, start }, signal);
    if (!end) return undefined;
    const { failure, report } = end;
    return {
      event: failure ? { type: "failed", kind: "final", failure } : { type: "admitted" },
      also: () => {
        try {
          outbox.append([{ kind: "shadow", at: clock.now(), body: report }]);
        } catch (error) {
          // What was found decides on this box all the same.
          if (!isMusterError(error, "outbox.full")) throw error;
          log.warn({ event: "shadow.untold" }, error.message);
        }
      },
    };
  } finally {
    await activation.discardAllBut(undefined);
  }
}
