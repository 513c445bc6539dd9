import type { Metric } from "./plan.ts";

export type Verdict = "met" | "violated" | "inconclusive";

/** One condition of a gate, with the numbers that say why. */
export interface ConditionView {
  kind: "success" | "error" | "sample" | "attestation" | "soak" | Metric;
  /** `passed-over`: could not be judged and does not hold the wave up; the sentence says why. */
  verdict: Verdict | "passed-over";
  /** What was measured, in `unit`; null while nothing was. */
  value: number | null;
  /** What the plan asks for, in `unit`; for a rule that only compares, the control value with the tolerance. */
  threshold: number | null;
  /** The same measure on the devices that are not updated yet, weighted to the same hardware classes. */
  control: number | null;
  /** Sequential test; null where the plan does not compare. Violated once `stake` reached `limit`. */
  comparison: {
    /** Updated devices that were compared. */
    devices: number;
    /** Devices not updated that they were last compared with. */
    controls: number;
    /** Highest stake so far: 1 at the start. */
    stake: number;
    limit: number;
  } | null;
  /** `percent`, `ms`, `psi`, `inferences` or `seconds`. */
  unit: "percent" | "ms" | "psi" | "inferences" | "seconds";
  /** Plain sentence with the numbers. */
  sentence: string;
}

/** Failures that lie together at a site or on a hardware class more than chance explains. */
export interface Cluster {
  place: "site" | "hardware-class";
  name: string;
  /** Devices with a known end there, and those of them that failed. */
  ended: number;
  failed: number;
  endedElsewhere: number;
  failedElsewhere: number;
  sentence: string;
}

/** Where the gate of a wave stands, with the numbers and thresholds that say why. */
export interface GateView {
  verdict: Verdict;
  /** Plain sentence. */
  reason: string;
  /** What an inconclusive gate waits for; null when nothing more will come, so that a person must decide. */
  waitingFor: "evidence" | "soak" | null;
  conditions: ConditionView[];
  clusters: Cluster[];
  /** Hardware classes on which measurements of updated devices violate it; what failed to install is not among them. */
  hardwareClasses: string[];
}
