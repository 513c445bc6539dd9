import { MusterError } from "@muster/shared/errors";
import { matches, parseSelector, type SelectorSubject } from "../fleet/selector.ts";
import { orderOf } from "./order.ts";
import type { RolloutPlan } from "./plan.ts";
import { counted } from "./words.ts";

export interface WaveMember<T> {
  target: T;
  /** Counted from 0. */
  wave: number;
  /** Place in the order of the whole rollout, counted from 0. */
  position: number;
}

/**
 * Shares the targets out among the waves of a plan, in its order. Waves that add nobody are left out; what no
 * wave takes forms a last one.
 * @throws MusterError `rollout.plan-invalid` for a wave before the last that is too small for its gate
 */
export function shareOut<T extends SelectorSubject>(
  targets: readonly T[],
  plan: Pick<RolloutPlan, "waves" | "gate" | "order">,
  seed: number,
): WaveMember<T>[] {
  let rest = orderOf(targets, plan.order, seed);
  let taken = 0;
  const waves: T[][] = [];
  const take = (chosen: T[]) => {
    if (chosen.length === 0) return;
    waves.push(chosen);
    taken += chosen.length;
    const gone = new Set(chosen);
    rest = rest.filter((target) => !gone.has(target));
  };
  for (const wave of plan.waves) {
    if ("selector" in wave) {
      const selector = parseSelector(wave.selector);
      take(rest.filter((target) => matches(selector, target)));
    } else if ("canary" in wave) {
      take(canaries(rest, wave.canary));
    } else {
      const upTo = "count" in wave ? wave.count : shareOf(targets.length, wave.percent);
      take(rest.slice(0, Math.max(0, upTo - taken)));
    }
  }
  take(rest);
  requireEvidence(waves, plan.gate.success.minDevices);
  let position = 0;
  return waves.flatMap((members, wave) => members.map((target) => ({ target, wave, position: position++ })));
}

/**
 * So many devices of each hardware class, or all it has, in the order of `rest`: those that are there before
 * those offline, since only they give evidence; at sites where no canary is yet as far as there are any, else
 * at those where none of its class is. Classes with the fewest sites choose first.
 */
function canaries<T extends SelectorSubject>(rest: readonly T[], perClass: number): T[] {
  const chosen = new Set<T>();
  const sites = new Set<string>();
  for (const devices of byClass(rest).sort((a, b) => sitesOf(a).size - sitesOf(b).size)) {
    const there = devices.filter(({ liveness }) => liveness !== "offline");
    const offline = devices.filter(({ liveness }) => liveness === "offline");
    const own = new Set<T>();
    const ownSites = new Set<string>();
    for (const some of [there, offline])
      for (const isFree of [
        ({ site }: T) => !sites.has(site),
        ({ site }: T) => !ownSites.has(site),
        (device: T) => !own.has(device),
      ])
        for (const device of some) {
          if (own.size === perClass) break;
          if (!isFree(device)) continue;
          own.add(device);
          ownSites.add(device.site);
          sites.add(device.site);
        }
    for (const device of own) chosen.add(device);
  }
  return rest.filter((device) => chosen.has(device));
}

const sitesOf = (devices: readonly SelectorSubject[]): Set<string> =>
  new Set(devices.map(({ site }) => site));

function byClass<T extends SelectorSubject>(devices: readonly T[]): T[][] {
  const classes = new Map<string, T[]>();
  for (const device of devices) {
    const same = classes.get(device.hardwareClass);
    if (same) same.push(device);
    else classes.set(device.hardwareClass, [device]);
  }
  return [...classes.values()];
}

/** Rounded up, but not by what binary fractions add: 8.8 % of 375 are 33, where 375 * 8.8 is above 3300. */
const shareOf = (count: number, percent: number): number =>
  Math.ceil(Number(((count * percent) / 100).toFixed(6)));

function requireEvidence(waves: readonly unknown[][], minDevices: number): void {
  for (const [index, members] of waves.slice(0, -1).entries())
    if (members.length < minDevices)
      throw new MusterError(
        "rollout.plan-invalid",
        `Wave ${index + 1} has ${counted(members.length, "device")} and its gate asks for ${minDevices} with a known end: enlarge the wave or lower gate.success.minDevices.`,
      );
}
