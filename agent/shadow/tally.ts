import { CONFIDENCE_EDGES, LATENCY_EDGES_MS } from "@muster/shared/protocol/metric-edges";
import type { ShadowModel } from "@muster/shared/protocol/shadow-report";
import { addHistograms, emptyHistogram } from "@muster/shared/stats/histogram";

/** What was compared of one model since it was last told; sums add up. Processor time in microseconds. */
export type ShadowTally = Omit<ShadowModel, "cpuMs" | "psi"> & { cpuUs: number };

const both = (edges: readonly number[]) => ({
  live: emptyHistogram(edges),
  candidate: emptyHistogram(edges),
});

const sumOfBoth = (a: ShadowTally["latency"], b: ShadowTally["latency"]): ShadowTally["latency"] => ({
  live: addHistograms(a.live, b.live),
  candidate: addHistograms(a.candidate, b.candidate),
});

export const emptyShadowTally = (model: string): ShadowTally => ({
  model,
  compared: 0,
  agreed: 0,
  failed: 0,
  dropped: { busy: 0, budget: 0, size: 0 },
  cpuUs: 0,
  latency: both(LATENCY_EDGES_MS),
  confidence: both(CONFIDENCE_EDGES),
});

export const addShadowTally = (a: ShadowTally, b: ShadowTally): ShadowTally => ({
  model: a.model,
  compared: a.compared + b.compared,
  agreed: a.agreed + b.agreed,
  failed: a.failed + b.failed,
  dropped: {
    busy: a.dropped.busy + b.dropped.busy,
    budget: a.dropped.budget + b.dropped.budget,
    size: a.dropped.size + b.dropped.size,
  },
  cpuUs: a.cpuUs + b.cpuUs,
  latency: sumOfBoth(a.latency, b.latency),
  confidence: sumOfBoth(a.confidence, b.confidence),
});
