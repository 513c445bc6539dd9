import { encodeBatch } from "@muster/agent/link/batch";
import type { Evidence, EvidenceMessage } from "@muster/shared/protocol/evidence";
import type { HardwareFacts } from "@muster/shared/protocol/hardware";
import type { Birth, Heartbeat } from "@muster/shared/protocol/messages";
import { PROTOCOL_VERSION } from "@muster/shared/protocol/primitives";
import type { ReportedState } from "@muster/shared/protocol/state";
import type { Effect } from "./effects.ts";

/** What a device says in one session, as effects. `at` is its wall clock, milliseconds since the epoch. */
export class Speech {
  readonly session: string;
  #stateSeq = 0;
  #beatSeq = 0;

  constructor(session: string) {
    this.session = session;
  }

  birth(
    at: number,
    box: { boot: string; hardware: HardwareFacts },
    state: ReportedState,
    position: Pick<Birth["outbox"], "id" | "lastSeq" | "ackedSeq">,
  ): Effect {
    const { id, lastSeq, ackedSeq } = position;
    const { boot, hardware } = box;
    const outbox = { id, lastSeq, ackedSeq, evicted: 0 };
    const birth = { ...this.#head(at), boot, agentVersion: "0.1.0", hardware, state, outbox };
    return { do: "publish", channel: "birth", payload: JSON.stringify(birth satisfies Birth), qos: 1 };
  }

  state(at: number, state: ReportedState): Effect {
    this.#stateSeq += 1;
    const message = { ...this.#head(at), seq: this.#stateSeq, state };
    return { do: "publish", channel: "state", payload: JSON.stringify(message), qos: 1 };
  }

  heartbeat(at: number, body: Omit<Heartbeat, "v" | "session" | "seq" | "at">): Effect {
    this.#beatSeq += 1;
    const beat = { ...this.#head(at), seq: this.#beatSeq, ...body };
    return { do: "publish", channel: "heartbeat", payload: JSON.stringify(beat satisfies Heartbeat), qos: 0 };
  }

  evidence(evidence: Evidence): Effect {
    const message: EvidenceMessage = { v: PROTOCOL_VERSION, evidence };
    return { do: "publish", channel: "evidence", payload: JSON.stringify(message), qos: 1 };
  }

  batch(outbox: string, rows: readonly { seq: number; text: string }[]): Effect {
    return { do: "publish", channel: "batch", payload: encodeBatch(this.session, outbox, rows), qos: 1 };
  }

  #head(at: number): { v: typeof PROTOCOL_VERSION; session: string; at: number } {
    return { v: PROTOCOL_VERSION, session: this.session, at };
  }
}
