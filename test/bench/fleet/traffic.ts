import type { Heartbeat } from "@muster/shared/protocol/messages";
import { CONFIDENCE_EDGES, LATENCY_EDGES_MS } from "@muster/shared/protocol/metric-edges";

/** Results in a batch. */
export const RESULTS = 10;
const DIGEST: `sha256:${string}` = `sha256:${"ab".repeat(32)}`;

const counts = (bins: number, at: number, count: number): number[] =>
  Array.from({ length: bins }, (_, bin) => (bin === at ? count : 0));

const BEAT: Omit<Heartbeat, "session" | "seq" | "at"> = {
  v: 1,
  uptimeSeconds: 3600,
  health: {
    agentRss: 64_000_000,
    runnerRss: 150_000_000,
    loadPerCore: 0.4,
    freeMemoryMiB: 1800,
    freeDiskMiB: 8000,
    temperatureC: 51.5,
    runnerRestarts: 0,
    outboxBytes: 0,
  },
  agent: { operationalMs: 30_000, connectedMs: 30_000, syncSucceeded: 0, syncFailed: 0 },
  inference: [
    {
      release: DIGEST,
      servingMs: 30_000,
      crashes: 0,
      inferences: 60,
      failures: 0,
      fallbacks: 0,
      degraded: 0,
      refused: 0,
      cpuMs: 0,
      energyMj: null,
      latency: { edges: [...LATENCY_EDGES_MS], counts: counts(LATENCY_EDGES_MS.length + 1, 11, 60) },
      confidence: { edges: [...CONFIDENCE_EDGES], counts: counts(CONFIDENCE_EDGES.length + 1, 9, 60) },
    },
  ],
};

export const heartbeatText = (run: string, seq: number): string =>
  JSON.stringify({ ...BEAT, session: `${run}-session`, seq, at: Date.now() });

/** The batch that comes after `before` earlier ones of this device. */
export function batchText(run: string, device: number, before: number): string {
  const at = Date.now();
  const records = Array.from({ length: RESULTS }, (_, index) => {
    const seq = before * RESULTS + index + 1;
    const body = {
      id: `window-${seq}`,
      model: "detector",
      version: "1.0.0",
      variant: "int8-cpu",
      digest: DIGEST,
      provider: "cpu",
      latencyUs: 12_345,
      ok: true,
      top: { index: 2, score: 0.97, label: "outer-race" },
    };
    return { seq, kind: "result", at, body };
  });
  return JSON.stringify({ v: 1, session: `${run}-session`, outbox: `${run}-outbox-${device}`, records });
}
