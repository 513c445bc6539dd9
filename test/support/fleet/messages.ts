import type { Batch, Birth, Heartbeat, OutboxRecord } from "@muster/shared/protocol/messages";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ReportedState } from "@muster/shared/protocol/state";
import { HARDWARE } from "./keys.ts";

const digest = (digit: string): `sha256:${string}` => `sha256:${digit.repeat(64)}`;

export const release = (version: string, sequence = 1): ReleaseRef => ({
  name: "press-watch",
  version,
  sequence,
  digest: digest(String(sequence % 10)),
});

export const reported = (
  running: ReleaseRef | null = null,
  more: Partial<ReportedState> = {},
): ReportedState => ({
  generation: 0,
  running,
  components: [],
  runner: running ? "ready" : "idle",
  update: null,
  lastResult: null,
  refused: null,
  ...more,
});

export const birth = (session: string, state: ReportedState = reported()): Birth => ({
  v: 1,
  session,
  boot: "boot-0001",
  at: Date.now(),
  agentVersion: "0.1.0",
  hardware: HARDWARE,
  state,
  outbox: { id: "outbox-0001", lastSeq: 0, ackedSeq: 0, evicted: 0 },
});

export const heartbeat = (session: string, seq: number): Heartbeat => ({
  v: 1,
  session,
  seq,
  at: Date.now(),
  uptimeSeconds: 60,
  health: {
    agentRss: 1,
    runnerRss: 1,
    loadPerCore: 0.5,
    freeMemoryMiB: 1,
    freeDiskMiB: 1,
    temperatureC: null,
    runnerRestarts: 0,
    outboxBytes: 0,
  },
  counters: { inferences: 1, failures: 0, latency: { edges: [1], counts: [1, 0] } },
});

export const result = (seq: number): OutboxRecord => ({
  seq,
  kind: "result",
  at: 1_700_000_000_000 + seq,
  body: {
    id: `inference-${seq}`,
    model: "vibration",
    version: "1.0.0",
    variant: "int8-cpu",
    digest: digest("a"),
    provider: "cpu",
    latencyUs: 850,
    ok: true,
    top: { index: 2, score: 0.97, label: "outer-race" },
  },
});

export const results = (from: number, to: number): OutboxRecord[] =>
  Array.from({ length: to - from + 1 }, (_, index) => result(from + index));

export const batch = (session: string, records: OutboxRecord[], outbox = "outbox-0001"): Batch => ({
  v: 1,
  session,
  outbox,
  records,
});
