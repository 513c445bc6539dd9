import type {
  Batch,
  Birth,
  Heartbeat,
  InferenceCounters,
  OutboxRecord,
} from "@muster/shared/protocol/messages";
import { CONFIDENCE_EDGES, LATENCY_EDGES_MS } from "@muster/shared/protocol/metric-edges";
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

/** A histogram with `count` values in one bin. */
const oneBin = (edges: readonly number[], bin: number, count: number) => ({
  edges: [...edges],
  counts: Array.from({ length: edges.length + 1 }, (_, index) => (index === bin ? count : 0)),
});

/** What one release did in 30 s: one inference of about 0.9 ms with a score of about 0.97. */
export const inference = (more: Partial<InferenceCounters> = {}): InferenceCounters => {
  const inferences = more.inferences ?? 1;
  return {
    release: release("1.0.0").digest as `sha256:${string}`,
    servingMs: 30_000,
    crashes: 0,
    inferences,
    failures: 0,
    fallbacks: 0,
    degraded: 0,
    refused: 0,
    cpuMs: 0,
    energyMj: null,
    latency: oneBin(LATENCY_EDGES_MS, 5, inferences),
    confidence: oneBin(CONFIDENCE_EDGES, 10, inferences),
    ...more,
  };
};

export const heartbeat = (session: string, seq: number, more: Partial<Heartbeat> = {}): Heartbeat => ({
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
  agent: { operationalMs: 30_000, connectedMs: 30_000, syncSucceeded: 0, syncFailed: 0 },
  inference: [inference()],
  ...more,
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
