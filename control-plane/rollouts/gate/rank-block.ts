import { type Bets, logStake, placeBet, smoothedRank } from "@muster/shared/stats/rank-test";
import type { BlockSample } from "../exposure/exposures.ts";
import { confidenceOf } from "../exposure/sums.ts";
import { draw } from "./draw.ts";
import { beyondTolerance, MEASURES, noConfidence } from "./measures.ts";
import type { Metric, MetricRule } from "./plan.ts";
import { SortedValues } from "./sorted-values.ts";

/** Fewer controls of the device's hardware class could not make a rank that says anything. */
export const LEAST_CONTROLS = 5;

/** More devices of a class and arm would make ranks no finer than they need be and the tick slower: a draw decides. */
const MOST_COMPARED = 1_000;

/** A sequential test: one metric in one round. */
export interface Wager extends Bets {
  /** Logarithm of the highest stake so far. */
  peak: number;
  /** Controls of the newest block in which a device was ranked. */
  controls: number;
}

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
  const drawn = (what: string, device: string) => draw(seed, `${label}/${what}/${device}`);
  const ready = [...strata.entries()]
    .filter(([, { newcomers, controls }]) => newcomers.length > 0 && controls.length >= LEAST_CONTROLS)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { controls, former, newcomers }]) => {
      const drawnOf = (device: string) => drawn("order", device);
      return {
        controls: inDrawnOrder(controls, drawnOf, MOST_COMPARED),
        former: inDrawnOrder(former, drawnOf, MOST_COMPARED),
        newcomers: inDrawnOrder(newcomers, drawnOf),
      };
    });
  return tests.map((test, index) => {
    const rule = rules[index];
    if (!rule) return test;
    return ready.reduce(
      (wager, stratum) => rankNewcomers(wager, stratum, rule, (device) => drawn(rule.metric, device)),
      test,
    );
  });
}

/** The devices in an order that has nothing to do with what they measure; the same for the same devices. */
function inDrawnOrder(
  samples: readonly BlockSample[],
  drawnOf: (device: string) => number,
  most = Number.POSITIVE_INFINITY,
): Measured[] {
  return samples
    .map((sample) => ({ sample, place: drawnOf(sample.device) }))
    .sort((a, b) => a.place - b.place)
    .slice(0, most)
    .map(({ sample: { device, arm, sums } }) => ({ device, arm, sums }));
}

function rankNewcomers(
  test: Wager,
  stratum: Stratum<Measured>,
  { metric, tolerance }: ComparedRule,
  tieOf: (device: string) => number,
): Wager {
  const values = valuesOf(metric, stratum);
  const controls = values.controls.filter((value) => value !== undefined);
  if (controls.length < LEAST_CONTROLS) return test;
  const adjusted = (value: number) => beyondTolerance(metric, value, tolerance);
  const before = new SortedValues([
    ...controls,
    ...values.former.filter((value) => value !== undefined).map(adjusted),
  ]);
  let wager = test;
  for (const [index, { device }] of stratum.newcomers.entries()) {
    const badness = values.newcomers[index];
    if (badness === undefined) continue;
    const value = adjusted(badness);
    const { higher, equal } = before.compare(value);
    const bets = placeBet(wager, smoothedRank(higher, equal, before.size, tieOf(device)));
    wager = { ...bets, peak: Math.max(wager.peak, logStake(bets)), controls: controls.length };
    before.add(value);
  }
  return wager;
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
