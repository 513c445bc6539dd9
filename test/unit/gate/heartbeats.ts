import type { TrackedMember } from "@muster/control-plane/rollouts/exposure/arms";
import { TrackedExposures } from "@muster/control-plane/rollouts/exposure/tracked";
import type { InferenceCounters } from "@muster/shared/protocol/messages";
import { CONFIDENCE_EDGES, LATENCY_EDGES_MS } from "@muster/shared/protocol/metric-edges";

export const NEW = `sha256:${"1".repeat(64)}`;
export const OLD = `sha256:${"0".repeat(64)}`;

export interface Measured {
  inferences?: number;
  failures?: number;
  fallbacks?: number;
  crashes?: number;
  servingMs?: number;
  /** All inferences took that long, or so many took each of these. */
  latencyMs?: number | Record<number, number>;
  confidence?: number | Record<number, number>;
  shadow?: { compared: number; agreed: number };
}

function histogramOf(edges: readonly number[], values: Record<number, number>) {
  const counts = Array.from({ length: edges.length + 1 }, () => 0);
  for (const [value, count] of Object.entries(values)) {
    const found = edges.findIndex((edge) => Number(value) < edge);
    counts[found === -1 ? edges.length : found]! += count;
  }
  return { edges: [...edges], counts };
}

/** One entry of a heartbeat: a healthy device that computed 100 inferences in half a minute, but for what is given. */
export function counters(release: string | null, given: Measured = {}): InferenceCounters {
  const inferences = given.inferences ?? 100;
  const spread = (value: number | Record<number, number> | undefined, usual: number) =>
    typeof value === "object" ? value : { [value ?? usual]: inferences };
  return {
    release,
    servingMs: given.servingMs ?? 30_000,
    crashes: given.crashes ?? 0,
    inferences,
    failures: given.failures ?? 0,
    fallbacks: given.fallbacks ?? 0,
    degraded: 0,
    refused: 0,
    cpuMs: 0,
    energyMj: null,
    latency: histogramOf(LATENCY_EDGES_MS, spread(given.latencyMs, 12)),
    confidence: histogramOf(CONFIDENCE_EDGES, spread(given.confidence, 0.97)),
    ...(given.shadow ? { shadow: given.shadow } : {}),
  };
}

export const OPENED_AT = 1_000_000;
export const SOAK_SECONDS = 60;
export const BLOCK_MS = SOAK_SECONDS * 1000;

export const member = (
  device: string,
  arm: TrackedMember["arm"],
  hardwareClass = "linux-x64",
): TrackedMember => ({ device, hardwareClass, arm });

/** Evidence of the first wave of a rollout, as the ledger keeps it, fed by hand. */
export class Fleet {
  readonly exposures: TrackedExposures;

  constructor(members: readonly TrackedMember[], soakSeconds = SOAK_SECONDS) {
    this.exposures = new TrackedExposures({
      rollout: "r1",
      digest: NEW,
      wave: 0,
      openedAt: OPENED_AT,
      gate: { soakSeconds },
      members,
    });
    this.exposures.setMembers(members);
  }

  beat(device: string, at: number, entries: readonly InferenceCounters[]): void {
    const next = this.exposures.after(device, this.exposures.device(device), entries, at);
    if (next) this.exposures.put(device, next);
  }
}

/**
 * Updated and control devices that each beat in the middle of the first `blocks` blocks with what `measure` says
 * of them.
 */
export function fleetOf(
  given: { updated: number; controls: number; blocks?: number; hardwareClass?: string },
  measure: (arm: TrackedMember["arm"], index: number) => Measured,
): Fleet {
  const { updated, controls, blocks = 2, hardwareClass } = given;
  const members = [
    ...Array.from({ length: updated }, (_, index) => member(`u${index}`, "updated", hardwareClass)),
    ...Array.from({ length: controls }, (_, index) => member(`c${index}`, "control", hardwareClass)),
  ];
  const fleet = new Fleet(members);
  for (let block = 0; block < blocks; block += 1)
    for (const { device, arm } of members) {
      const measured = measure(arm, Number(device.slice(1)));
      const at = OPENED_AT + (block + 0.5) * BLOCK_MS;
      fleet.beat(device, at, [counters(arm === "updated" ? NEW : OLD, measured)]);
    }
  return fleet;
}
