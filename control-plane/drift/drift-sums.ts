import { fitsQuality } from "@muster/shared/protocol/drift-limits";
import type { DriftBody } from "@muster/shared/protocol/drift-window";

/** Sums of windows of one variant. They add up over devices and time. */
export interface DriftSums {
  windows: number;
  /** Windows that the device judged, and those that differed from the reference. */
  judged: number;
  drifted: number;
  samples: number;
  rejected: number;
  features: Record<string, number[]>;
  /** How many independent values those of a feature are worth. */
  effective: Record<string, number>;
  inputs: DriftBody["inputs"];
}

/** Names come from devices: one such as "constructor" is a member of every object, and none of these. */
const own = <V>(record: Readonly<Record<string, V>>, name: string): V | undefined =>
  Object.hasOwn(record, name) ? record[name] : undefined;

const mayName = (name: string): boolean => name !== "__proto__";

/**
 * Adds a window, or other sums, to sums. Features whose bins differ are left as they are, and so are inputs beyond what
 * a window may name: devices that make names up make no sums grow.
 */
export function addSums(sums: DriftSums, more: DriftSums): void {
  sums.windows += more.windows;
  sums.judged += more.judged;
  sums.drifted += more.drifted;
  sums.samples += more.samples;
  sums.rejected += more.rejected;
  for (const [feature, counts] of Object.entries(more.features)) {
    const known = own(sums.features, feature);
    if (!mayName(feature) || (known && known.length !== counts.length)) continue;
    if (!known) sums.features[feature] = [...counts];
    else for (const [bin, count] of counts.entries()) known[bin]! += count;
    sums.effective[feature] = (own(sums.effective, feature) ?? 0) + (own(more.effective, feature) ?? 0);
  }
  for (const [tensor, quality] of Object.entries(more.inputs)) {
    const known = own(sums.inputs, tensor);
    if (!known) {
      if (mayName(tensor) && fitsQuality(tensor, Object.keys(sums.inputs).length))
        sums.inputs[tensor] = { ...quality };
      continue;
    }
    known.rows += quality.rows;
    known.nan += quality.nan;
    known.infinite += quality.infinite;
    known.outOfRange += quality.outOfRange;
    known.constant += quality.constant;
  }
}

export const noSums = (): DriftSums => ({
  windows: 0,
  judged: 0,
  drifted: 0,
  samples: 0,
  rejected: 0,
  features: {},
  effective: {},
  inputs: {},
});

export const sumsOfWindow = ({
  samples,
  rejected,
  features,
  effective,
  inputs,
  againstReference,
}: DriftBody): DriftSums => ({
  windows: 1,
  judged: againstReference ? 1 : 0,
  drifted: againstReference?.drifted ? 1 : 0,
  samples,
  rejected,
  features,
  effective,
  inputs,
});
