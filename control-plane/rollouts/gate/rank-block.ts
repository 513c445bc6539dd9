import { smoothedRank } from "@muster/shared/stats/rank-test";
import type { BlockSample } from "../exposure/exposures.ts";
import { confidenceOf } from "../exposure/sums.ts";
import { drawer } from "./draw.ts";
import { beyondTolerance, MEASURES, noConfidence } from "./measures.ts";
import type { Metric, MetricRule } from "./plan.ts";
import { SortedValues } from "./sorted-values.ts";
import { placeRanks, type Wager } from "./wager.ts";

/** Fewer controls of the device's hardware class could not make a rank that says anything. */
export const LEAST_CONTROLS = 5;

/** More devices of a class and arm would make ranks no finer than they need be and the tick slower: a draw decides. */
const MOST_COMPARED = 1_000;
const MOST_NEWCOMERS = 500;

export type ComparedRule = MetricRule & { tolerance: number };

/** Devices of one hardware class in one block. */
interface Stratum<T> {
  controls: T[];
  /** Updated devices that were ranked in an earlier block. */
  former: T[];
  newcomers: T[];
}

type Measured = Pick<BlockSample, "device" | "arm" | "sums">;

export interface Ranking {
  /** All that was measured in the block, of both arms. */
  samples: readonly BlockSample[];
  /** Newest block in which devices were ranked before; -1 for none. */
  judged: number;
  seed: number;
  /** Wave and round, for the draws. */
  label: string;
}

/**
 * Ranks the devices whose first block came after `judged`, by each rule, among the controls of their hardware
 * class and the updated devices ranked before, all with what they measured in this one block: then the ranks are
 * uniform and independent as long as the release makes no difference, also where devices differ for good, the
 * time of day matters or classes are unlike (a Mondrian conformal predictor, Vovk, Gammerman and Shafer,
 * "Algorithmic Learning in a Random World", 2005).
 */
export function rankBlock(
  tests: readonly Wager[],
  rules: readonly ComparedRule[],
  { samples, judged, seed, label }: Ranking,
): Wager[] {
  const strata = new Map<string, Stratum<BlockSample>>();
  for (const sample of samples) {
    const { hardwareClass, arm, firstBlock } = sample;
    // Who came in the middle of the block was measured for less time than the others.
    if (firstBlock < 0) continue;
    let stratum = strata.get(hardwareClass);
    if (!stratum) {
      stratum = { controls: [], former: [], newcomers: [] };
      strata.set(hardwareClass, stratum);
    }
    if (arm === "control") stratum.controls.push(sample);
    else if (firstBlock <= judged) stratum.former.push(sample);
    else stratum.newcomers.push(sample);
  }
  const ready = [...strata.entries()]
    .filter(([, { newcomers, controls }]) => newcomers.length > 0 && controls.length >= LEAST_CONTROLS)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const order = drawer(seed, `${label}/order/`);
  let next = [...tests];
  for (const [hardwareClass, { controls, former, newcomers }] of ready) {
    const stratum = {
      controls: measured(drawnFrom(controls, order, MOST_COMPARED)),
      former: measured(drawnFrom(former, order, MOST_COMPARED)),
      newcomers: measured(inDrawnOrder(drawnFrom(newcomers, order, MOST_NEWCOMERS), order)),
    };
    next = next.map((wager, index) => {
      const rule = rules[index];
      if (!rule) return wager;
      const tieOf = drawer(seed, `${label}/${rule.metric}/`);
      const ranked = ranksOf(stratum, rule, tieOf);
      return ranked.ranks.length === 0
        ? wager
        : placeRanks(wager, hardwareClass, ranked.ranks, ranked.controls);
    });
  }
  return next;
}

type Draw = (device: string) => number;

/** The devices in an order that has nothing to do with what they measure; the same for the same devices. */
function inDrawnOrder(samples: readonly BlockSample[], drawOf: Draw): BlockSample[] {
  return samples
    .map((sample) => ({ sample, place: drawOf(sample.device) }))
    .sort((a, b) => a.place - b.place)
    .map(({ sample }) => sample);
}

/** No more than `most` of the devices, chosen by draw. */
function drawnFrom(samples: readonly BlockSample[], drawOf: Draw, most: number): readonly BlockSample[] {
  if (samples.length <= most) return samples;
  const places = Float64Array.from(samples, ({ device }) => drawOf(device));
  const last = places.toSorted()[most - 1] ?? 1;
  return samples.filter((_, index) => (places[index] ?? 1) <= last);
}

/** With sums made once: each rule asks for them. */
const measured = (samples: readonly BlockSample[]): Measured[] =>
  samples.map(({ device, arm, sums }) => ({ device, arm, sums }));

/** Smoothed ranks of the newcomers by one rule, and how many controls they were ranked among; none where too few. */
function ranksOf(
  stratum: Stratum<Measured>,
  { metric, tolerance }: ComparedRule,
  tieOf: Draw,
): { ranks: number[]; controls: number } {
  const values = valuesOf(metric, stratum);
  const controls = values.controls.filter((value) => value !== undefined);
  const ranks: number[] = [];
  if (controls.length < LEAST_CONTROLS) return { ranks, controls: controls.length };
  const adjusted = (value: number) => beyondTolerance(metric, value, tolerance);
  const before = new SortedValues([
    ...controls,
    ...values.former.filter((value) => value !== undefined).map(adjusted),
  ]);
  for (const [index, { device }] of stratum.newcomers.entries()) {
    const badness = values.newcomers[index];
    if (badness === undefined) continue;
    const value = adjusted(badness);
    const { higher, equal } = before.compare(value);
    ranks.push(smoothedRank(higher, equal, before.size, tieOf(device)));
    before.add(value);
  }
  return { ranks, controls: controls.length };
}

/** Badness of each device; for drift against the confidence of all controls other than itself. */
function valuesOf(metric: Metric, { controls, former, newcomers }: Stratum<Measured>) {
  const { deviceBadness } = MEASURES[metric];
  const all = noConfidence();
  if (metric === "drift") for (const { sums } of controls) addTo(all, confidenceOf(sums), 1);
  const others = noConfidence();
  const value = ({ sums, arm }: Measured): number | undefined => {
    if (metric !== "drift" || arm === "updated") return deviceBadness(sums, all);
    others.set(all);
    addTo(others, confidenceOf(sums), -1);
    return deviceBadness(sums, others);
  };
  return { controls: controls.map(value), former: former.map(value), newcomers: newcomers.map(value) };
}

function addTo(into: Float64Array, counts: Float64Array, sign: 1 | -1): void {
  for (let bin = 0; bin < into.length; bin += 1) into[bin] = (into[bin] ?? 0) + sign * (counts[bin] ?? 0);
}
