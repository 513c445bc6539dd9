import { setImmediate as breathe } from "node:timers/promises";
import { MusterError } from "@muster/shared/errors";
import type { Database } from "better-sqlite3";
import { HOUR_MS, hourOf } from "../health/buckets.ts";
import { FLEET } from "../health/groups.ts";
import type { HeartbeatLedger } from "../health/ledger.ts";
import { ScopeSums } from "../health/scope-sums.ts";
import type { Scope } from "../health/scopes.ts";
import { Reach } from "../people/reach.ts";
import type { EnergyFactors } from "./factors.ts";
import { type Rate, Tariff } from "./tariff.ts";
import {
  addUsage,
  figuresOfUsage,
  noUsage,
  priced,
  rateOf,
  type Usage,
  type UsageFigures,
  usageOf,
} from "./usage.ts";

export const REPORT_KINDS = ["site", "release", "class"] as const;
export type ReportKind = (typeof REPORT_KINDS)[number];

export interface EnergyReport {
  by: ReportKind;
  /** Whole hours, milliseconds since the epoch. */
  from: number;
  to: number;
  /** Of the prices, null where nobody told one. */
  currency: string | null;
  /** The most energy first; a site includes those below it. */
  rows: ({ name: string } & UsageFigures)[];
  total: UsageFigures;
}

/** Longest time of a report, milliseconds. */
const LONGEST_MS = 31 * 24 * HOUR_MS;

/**
 * What inference took and came to, from the hourly sums of heartbeats. Each site pays by its own factors, hour by
 * hour. Sums of releases and classes do not say where they were: they pay the mean of the fleet in that hour.
 */
export class EnergyReports {
  readonly #ledger: HeartbeatLedger;
  readonly #sums: ScopeSums;
  readonly #factors: Pick<EnergyFactors, "list">;
  readonly #releases: () => { digest: string; name: string; version: string }[];
  readonly #now: () => number;

  constructor(
    ledger: HeartbeatLedger,
    factors: Pick<EnergyFactors, "list">,
    controlReader: Database,
    now: () => number,
  ) {
    this.#ledger = ledger;
    this.#sums = new ScopeSums(ledger);
    this.#factors = factors;
    const releases = controlReader.prepare<[], { digest: string; name: string; version: string }>(
      "SELECT digest, name, version FROM releases",
    );
    this.#releases = () => releases.all();
    this.#now = now;
  }

  /**
   * @param from milliseconds since the epoch, as `to`; both are taken to whole hours
   * @throws MusterError `access.denied` for more than lies within reach, `energy.invalid` for a time that is none or longer than 31 days
   */
  async report(
    by: ReportKind,
    from: number,
    to: number = this.#now(),
    reach: Reach = Reach.everywhere,
  ): Promise<EnergyReport> {
    if (by !== "site" && !reach.isEverywhere)
      throw new MusterError("access.denied", `By ${by} it is of the whole fleet, not of ${reach.text}.`);
    const [begin, end] = [hourOf(from), hourOf(to - 1) + HOUR_MS];
    if (to <= from || end - begin > LONGEST_MS)
      throw new MusterError("energy.invalid", "A report is of at least a moment and at most 31 days.");
    const factors = await this.#factors.list();
    const tariff = new Tariff(factors);
    const { sites, hours } = await this.#sites(tariff, begin, end);
    const usages = by === "site" ? sites : await this.#others(by, hours, begin, end);
    let total = sites.get(FLEET) ?? noUsage();
    if (!reach.isEverywhere)
      total = reach.sites.reduce((sum, name) => addUsage(sum, sites.get(name) ?? noUsage()), noUsage());
    const rows = [...usages]
      .filter(([name]) => by !== "site" || (name !== FLEET && reach.covers(name)))
      .sort(([, a], [, b]) => b.energyMj - a.energyMj || b.cpuMs - a.cpuMs)
      .map(([name, usage]) => ({ name, ...figuresOfUsage(usage) }));
    const currency = factors.find((factor) => factor.currency !== null)?.currency ?? null;
    return { by, from: begin, to: end, currency, rows, total: figuresOfUsage(total) };
  }

  /**
   * Usage of each site, and of the fleet by hour. The sums of a site hold those of the sites below: whoever is below
   * pays by its own factors, so the difference to the factors of the site above goes up to all above.
   */
  async #sites(tariff: Tariff, from: number, to: number) {
    const sites = new Map<string, Usage>();
    const hours = new Map<number, Usage>();
    const add = <K>(map: Map<K, Usage>, key: K, usage: Usage) =>
      map.set(key, addUsage(map.get(key) ?? noUsage(), usage));
    for (const site of this.#names("site")) {
      const above = placesAbove(site);
      for (const { at, usage } of await this.#usages({ kind: "site", name: site }, from, to)) {
        const own = priced(usage, tariff.at(site, at));
        add(sites, site, own);
        if (site === FLEET) add(hours, at, own);
        if (above.length === 0) continue;
        const difference = addUsage(own, priced(usage, tariff.at(above[0]!, at)), -1);
        for (const place of above) add(sites, place, difference);
        add(hours, at, difference);
      }
    }
    return { sites, hours };
  }

  async #others(
    kind: "release" | "class",
    hours: ReadonlyMap<number, Usage>,
    from: number,
    to: number,
  ): Promise<Map<string, Usage>> {
    const named = new Map(
      this.#releases().map(({ digest, name, version }) => [digest, `${name}@${version}`]),
    );
    const rates = new Map<number, Rate>([...hours].map(([at, usage]) => [at, rateOf(usage)]));
    const usages = new Map<string, Usage>();
    for (const name of this.#names(kind)) {
      let sum = noUsage();
      for (const { at, usage } of await this.#usages({ kind, name }, from, to))
        sum = addUsage(sum, priced(usage, rates.get(at) ?? { costPerKwh: null, gramsPerKwh: null }));
      if (sum.inferences > 0) usages.set(named.get(name) ?? name, sum);
    }
    return usages;
  }

  async #usages(scope: Scope, from: number, to: number): Promise<{ at: number; usage: Usage }[]> {
    const points = await this.#sums.series(scope, from, to, HOUR_MS);
    // There may be thousands of scopes: whoever else waits gets a turn behind each.
    await breathe();
    return points.map(({ at, sums }) => ({ at, usage: usageOf(sums) }));
  }

  /** Of which anything was counted, stored or not yet. */
  #names(kind: Exclude<Scope["kind"], "device">): Set<string> {
    const names = new Set(this.#ledger.scopes.names(kind));
    for (const group of this.#ledger.groups.all()) if (group.kind === kind) names.add(group.name);
    return names;
  }
}

/** The sites above, the nearest first, the fleet last; none above the fleet. */
function placesAbove(site: string): string[] {
  if (site === FLEET) return [];
  const names = site.split("/");
  return names.map((_, index) => names.slice(0, names.length - 1 - index).join("/"));
}
