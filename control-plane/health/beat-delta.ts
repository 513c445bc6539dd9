import type { Heartbeat, InferenceCounters } from "@muster/shared/protocol/messages";
import { CONFIDENCE_EDGES, LATENCY_EDGES_MS } from "@muster/shared/protocol/metric-edges";
import type { Histogram } from "@muster/shared/protocol/model-evidence";
import { binOf } from "@muster/shared/stats/histogram";
import { AT, addReading, CONFIDENCE_AT, LATENCY_AT, type Sums, VITALS } from "./sums.ts";

export type EnergyBasis = NonNullable<Heartbeat["health"]["power"]>["energy"];

const sameEdges = (a: readonly number[], b: readonly number[]): boolean =>
  a === b || (a.length === b.length && a.every((edge, index) => edge === b[index]));

/** Adds the histogram; bins of other edges go where their lower edge lies. */
function addHistogram(sums: Sums, at: number, ours: readonly number[], { edges, counts }: Histogram): void {
  const same = sameEdges(edges, ours);
  const bins = Math.min(counts.length, edges.length + 1);
  for (let bin = 0; bin < bins; bin += 1) {
    const count = counts[bin]!;
    if (count === 0) continue;
    const place = same ? bin : bin === 0 ? 0 : binOf(ours, edges[bin - 1]!);
    sums[at + place]! += count;
  }
}

/** Adds what one release did. @param energy where its energy comes from, as the heartbeat says */
export function addInference(sums: Sums, entry: InferenceCounters, energy: EnergyBasis): void {
  sums[AT.servingMs]! += entry.servingMs;
  sums[AT.crashes]! += entry.crashes;
  sums[AT.inferences]! += entry.inferences;
  // A share over 100 % would be no measurement, whoever sent it.
  sums[AT.failures]! += Math.min(entry.failures, entry.inferences);
  sums[AT.fallbacks]! += Math.min(entry.fallbacks, entry.inferences);
  sums[AT.degraded]! += Math.min(entry.degraded, entry.inferences);
  sums[AT.refused]! += entry.refused;
  sums[AT.cpuMs]! += entry.cpuMs;
  if (entry.energyMj !== null) {
    sums[AT.energyMj]! += entry.energyMj;
    sums[AT.energyInferences]! += entry.inferences;
    if (energy === "modelled") sums[AT.modelledMj]! += entry.energyMj;
  }
  if (entry.shadow) {
    sums[AT.shadowCompared]! += entry.shadow.compared;
    sums[AT.shadowAgreed]! += Math.min(entry.shadow.agreed, entry.shadow.compared);
  }
  addHistogram(sums, LATENCY_AT, LATENCY_EDGES_MS, entry.latency);
  addHistogram(sums, CONFIDENCE_AT, CONFIDENCE_EDGES, entry.confidence);
}

/** Adds what the agent tells of itself and of the box. */
export function addAgent(sums: Sums, { agent, health }: Pick<Heartbeat, "agent" | "health">): void {
  sums[AT.heartbeats]! += 1;
  sums[AT.operationalMs]! += agent.operationalMs;
  sums[AT.connectedMs]! += Math.min(agent.connectedMs, agent.operationalMs);
  sums[AT.syncSucceeded]! += agent.syncSucceeded;
  sums[AT.syncFailed]! += agent.syncFailed;
  for (const [index, { name }] of VITALS.entries()) {
    const value = name === "watts" ? (health.power?.watts ?? null) : health[name];
    if (value !== null) addReading(sums, index, value);
  }
}
