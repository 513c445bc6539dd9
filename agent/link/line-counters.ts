import type { AgentCounters } from "@muster/shared/protocol/messages";

const NOTHING: AgentCounters = { operationalMs: 0, connectedMs: 0, syncSucceeded: 0, syncFailed: 0 };

const add = (a: AgentCounters, b: AgentCounters): AgentCounters => ({
  operationalMs: a.operationalMs + b.operationalMs,
  connectedMs: a.connectedMs + b.connectedMs,
  syncSucceeded: a.syncSucceeded + b.syncSucceeded,
  syncFailed: a.syncFailed + b.syncFailed,
});

/** How the agent and its line fared since the counters were last taken. */
export class LineCounters {
  readonly #monotonic: () => number;
  #sums = NOTHING;
  #markedAt: number;
  #connected = false;

  /** @param monotonic milliseconds that only grow; the agent counts as running from now on */
  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
    this.#markedAt = monotonic();
  }

  setConnected(connected: boolean): void {
    this.#mark();
    this.#connected = connected;
  }

  /** An attempt to open a session, or to ask over HTTPS, has ended. */
  synced(succeeded: boolean): void {
    this.#sums = add(this.#sums, { ...NOTHING, [succeeded ? "syncSucceeded" : "syncFailed"]: 1 });
  }

  take(): AgentCounters {
    this.#mark();
    const taken = this.#sums;
    this.#sums = NOTHING;
    return taken;
  }

  /** Books the time up to now; whole milliseconds, the rest waits for the next time. */
  #mark(): void {
    const operationalMs = Math.max(0, Math.floor(this.#monotonic() - this.#markedAt));
    this.#markedAt += operationalMs;
    const connectedMs = this.#connected ? operationalMs : 0;
    this.#sums = add(this.#sums, { ...NOTHING, operationalMs, connectedMs });
  }
}
