import { setImmediate as breathe } from "node:timers/promises";
import { MusterError } from "@muster/shared/errors";
import type { Directory } from "../fleet/directory.ts";
import type { Liveness } from "../fleet/liveness.ts";
import { Reach } from "../people/reach.ts";
import type { FleetHealth, HealthBook, ScoredDevice } from "./book.ts";
import type { DeviceHealth } from "./device-health.ts";
import { type Figures, figuresOf } from "./figures.ts";
import { FLEET, sitesAbove } from "./groups.ts";
import type { HeartbeatLedger } from "./ledger.ts";
import { ScopeSums } from "./scope-sums.ts";
import type { Scope } from "./scopes.ts";
import { mergeSums, noSums, type Sums } from "./sums.ts";
import { groupScore, type Tally, tallyOf } from "./tally.ts";

/** Sites and devices named in a report: what is wrong first, on one screen. */
const NAMED = 10;
/** Devices counted, for one site or several, before others get their turn. */
const SLICE = 2_000;
/** What a site costs beside its devices, in devices. */
const SITE_COST = 20;
/** Hours of the figures of a report, besides the open one. */
const DAY_HOURS = 24;
/** A picture of the fleet older than this is taken anew before a report, milliseconds. */
const STALE_MS = 60_000;
/** Most points of one series. */
const MOST_POINTS = 2_000;
const STEP_MS = 300_000;

/** A device in a report. */
export interface DeviceLine {
  device: string;
  name: string;
  site: string;
  liveness: Liveness;
  score: number;
  reasons: DeviceHealth["reasons"];
}

/** A site in a report, with everything below it. */
export interface SiteLine extends Tally {
  site: string;
  worst: DeviceLine | null;
  /** Of the open hour and the one before. */
  figures: Figures;
}

/** How a part of the fleet fares. Times in milliseconds since the epoch. */
export interface HealthReport extends Tally {
  /** When the devices were looked at. */
  at: number;
  /** What it is about; the fleet is the site with no name. */
  scope: { kind: Exclude<Scope["kind"], "device">; name: string };
  /** Sites that devices are at, the worst first; at most 10, without those that lack nothing. */
  worstSites: SiteLine[];
  /** The worst first; at most 10, without those that lack nothing. */
  worstDevices: DeviceLine[];
  /** The last 5 to 10 minutes. */
  now: Figures;
  /** The open hour and 24 before it. */
  day: Figures;
}

export interface DeviceReport extends DeviceHealth {
  name: string;
  site: string;
  hardwareClass: string;
  liveness: Liveness;
  /** The open hour and 24 before it. */
  day: Figures;
}

export type HealthFilter = Partial<Record<"site" | "class" | "release", string>>;

/** What operators ask about health. Answers hold until the fleet is looked at again, some seconds. */
export class HealthReports {
  readonly #book: HealthBook;
  readonly #directory: Directory;
  readonly #sums: ScopeSums;
  readonly #ledger: HeartbeatLedger;
  readonly #digestOf: (release: string) => string | undefined;
  readonly #now: () => number;
  readonly #cache = new Map<string, unknown>();
  #cachedAt = -1;

  /** @param digestOf digest of a release that is named `NAME@VERSION` */
  constructor(
    book: HealthBook,
    ledger: HeartbeatLedger,
    directory: Directory,
    digestOf: (release: string) => string | undefined,
    now: () => number,
  ) {
    this.#book = book;
    this.#directory = directory;
    this.#ledger = ledger;
    this.#sums = new ScopeSums(ledger);
    this.#digestOf = digestOf;
    this.#now = now;
  }

  /**
   * Without a filter it is about all that lies within reach.
   * @throws MusterError `request.invalid`, `request.not-found`, `access.denied` for figures of more than that
   */
  async report(filter: HealthFilter = {}, reach: Reach = Reach.everywhere): Promise<HealthReport> {
    const scope = this.#scopeOf(filter);
    if (!reach.isEverywhere) requireSites(scope, reach);
    const fleet = await this.#fleet();
    const sites = scope.name === FLEET && !reach.isEverywhere ? reach.sites : undefined;
    const key = `${scope.kind}:${scope.name}:${sites ?? ""}`;
    return this.#cached(key, () => this.#make(fleet, scope, sites));
  }

  /** Every site and every site above one, in path order. */
  async sites(): Promise<SiteLine[]> {
    const fleet = await this.#fleet();
    return await this.#cached("sites", () => this.#makeSites(fleet));
  }

  /** As of now. @throws MusterError `request.not-found` */
  device(id: string): DeviceReport {
    const device = this.#directory.get(id);
    const health = this.#book.of(id);
    if (!device || !health) throw new MusterError("request.not-found", `There is no device ${id}.`);
    const { name, site, hardwareClass, liveness } = device;
    const day = figuresOf(this.#sums.lastHours({ kind: "device", name: id }, DAY_HOURS));
    return { ...health, name, site, hardwareClass, liveness, day };
  }

  /**
   * Figures of a scope over time.
   * @param text `fleet`, `site:PATH`, `class:NAME`, `release:NAME@VERSION` or `device:ID`
   * @param stepMs a multiple of 5 minutes
   * @throws MusterError `request.invalid`, `request.not-found`, `access.denied` for more than lies within reach
   */
  async series(text: string, from: number, to: number, stepMs: number, reach: Reach = Reach.everywhere) {
    if (stepMs <= 0 || stepMs % STEP_MS !== 0)
      throw new MusterError("request.invalid", "The step is a multiple of 5 minutes (300 s).");
    if (to <= from || (to - from) / stepMs > MOST_POINTS)
      throw new MusterError(
        "request.invalid",
        `A series has from 1 to ${MOST_POINTS} points: choose another step or another time.`,
      );
    const scope = this.#scopeNamed(text);
    if (!reach.isEverywhere) this.#requireSeries(scope, reach);
    const points = await this.#sums.series(scope, from, to, stepMs);
    return points.map(({ at, sums }) => ({ at, ...figuresOf(sums) }));
  }

  #requireSeries(scope: Scope, reach: Reach): void {
    if (scope.kind === "site" && scope.name === FLEET)
      throw new MusterError("access.denied", `Name a site: you see ${reach.text}.`);
    if (scope.kind !== "device") {
      requireSites({ kind: scope.kind, name: scope.name }, reach);
      return;
    }
    const site = this.#directory.get(scope.name)?.site;
    if (site === undefined || !reach.covers(site))
      throw new MusterError("request.not-found", `There is no device ${scope.name}.`);
  }

  async #fleet(): Promise<FleetHealth> {
    const { fleet } = this.#book;
    const age = this.#now() - fleet.at;
    return age >= 0 && age < STALE_MS ? fleet : await this.#book.refresh();
  }

  #make(fleet: FleetHealth, scope: HealthReport["scope"], sites?: readonly string[]): HealthReport {
    const scopes = sites?.map((name) => ({ kind: "site" as const, name })) ?? [scope];
    const devices = fleet.devices.filter(({ device }) => scopes.some((each) => isIn(each, device)));
    const bySite = new Map<string, ScoredDevice[]>();
    for (const each of devices) {
      const list = bySite.get(each.device.site);
      if (list) list.push(each);
      else bySite.set(each.device.site, [each]);
    }
    const worstSites = [...bySite]
      .map(([site, at]) => ({ site, at, score: groupScore(at) ?? 100 }))
      .filter(({ score }) => score < 100)
      .sort((a, b) => a.score - b.score || b.at.length - a.at.length || (a.site < b.site ? -1 : 1))
      .slice(0, NAMED)
      .map(({ site, at }) => this.#siteLine(site, at));
    return {
      at: fleet.at,
      scope,
      ...tallyOf(devices),
      worstSites,
      worstDevices: worstOf(devices, NAMED).map(lineOf),
      now: figuresOf(sumOf(scopes, (each) => this.#sums.recent(each))),
      day: figuresOf(sumOf(scopes, (each) => this.#sums.lastHours(each, DAY_HOURS))),
    };
  }

  async #makeSites({ devices }: FleetHealth): Promise<SiteLine[]> {
    const members = new Map<string, ScoredDevice[]>();
    for (const each of devices)
      for (const site of sitesAbove(each.device.site)) {
        const list = members.get(site);
        if (list) list.push(each);
        else members.set(site, [each]);
      }
    members.delete(FLEET);
    const lines: SiteLine[] = [];
    let counted = 0;
    for (const site of [...members.keys()].sort()) {
      const at = members.get(site)!;
      lines.push(this.#siteLine(site, at));
      counted += at.length + SITE_COST;
      if (counted < SLICE) continue;
      counted = 0;
      await breathe();
    }
    return lines;
  }

  #siteLine(site: string, devices: readonly ScoredDevice[]): SiteLine {
    const [worst] = worstOf(devices, 1);
    return {
      site,
      ...tallyOf(devices),
      worst: worst ? lineOf(worst) : null,
      figures: figuresOf(this.#sums.recentHours({ kind: "site", name: site })),
    };
  }

  #scopeOf(filter: HealthFilter): HealthReport["scope"] {
    const given = (["site", "class", "release"] as const).filter((kind) => filter[kind] !== undefined);
    const [kind, ...others] = given;
    if (others.length > 0)
      throw new MusterError("request.invalid", "Choose one of site, class and release, not several.");
    return kind === undefined ? { kind: "site", name: FLEET } : this.#knownScope(kind, filter[kind]!);
  }

  #scopeNamed(text: string): Scope {
    if (text === "fleet") return { kind: "site", name: FLEET };
    const colon = text.indexOf(":");
    const [kind, name] = [text.slice(0, Math.max(0, colon)), text.slice(colon + 1)];
    if (kind === "device") {
      if (!this.#directory.get(name))
        throw new MusterError("request.not-found", `There is no device ${name}.`);
      return { kind, name };
    }
    if (kind === "site" || kind === "class" || kind === "release") return this.#knownScope(kind, name);
    throw new MusterError(
      "request.invalid",
      `${text} is no scope: write fleet, site:PATH, class:NAME, release:NAME@VERSION or device:ID.`,
    );
  }

  #knownScope(kind: HealthReport["scope"]["kind"], name: string): HealthReport["scope"] {
    if (kind === "release") {
      const digest = name.startsWith("sha256:") ? name : this.#digestOf(name);
      if (digest === undefined) throw new MusterError("request.not-found", `There is no release ${name}.`);
      return { kind, name: digest };
    }
    const scope = { kind, name };
    for (const device of this.#directory.all()) if (isIn(scope, device)) return scope;
    if (this.#ledger.scopes.known(kind, name) !== undefined) return scope;
    throw new MusterError(
      "request.not-found",
      kind === "site" ? `There is no site ${name}.` : `There is no device of class ${name}.`,
    );
  }

  /** Pictures of the fleet follow each other; what was made of the one before is not asked for any more. */
  #cached<T>(key: string, make: () => T): T {
    if (this.#cachedAt !== this.#book.fleet.at) {
      this.#cache.clear();
      this.#cachedAt = this.#book.fleet.at;
    }
    if (!this.#cache.has(key)) this.#cache.set(key, make());
    return this.#cache.get(key) as T;
  }
}

/** What is kept by class and release does not say where it was. The fleet stands for what lies within reach. */
function requireSites({ kind, name }: HealthReport["scope"], reach: Reach): void {
  if (kind !== "site")
    throw new MusterError(
      "access.denied",
      `Figures of a ${kind} are of the whole fleet, not of ${reach.text}.`,
    );
  if (name !== FLEET && !reach.covers(name))
    throw new MusterError("request.not-found", `There is no site ${name}.`);
}

function sumOf(scopes: readonly Scope[], read: (scope: Scope) => Sums): Sums {
  const sums = noSums();
  for (const scope of scopes) mergeSums(sums, read(scope));
  return sums;
}

function isIn({ kind, name }: HealthReport["scope"], device: ScoredDevice["device"]): boolean {
  switch (kind) {
    case "site":
      return name === FLEET || device.site === name || device.site.startsWith(`${name}/`);
    case "class":
      return device.hardwareClass === name;
    case "release":
      return device.running?.digest === name;
  }
}

const lineOf = ({ device, health }: ScoredDevice): DeviceLine => ({
  device: device.id,
  name: device.name,
  site: device.site,
  liveness: device.liveness,
  score: health.score,
  reasons: health.reasons,
});

/** Those that lack something, the worst first. */
function worstOf(devices: readonly ScoredDevice[], count: number): ScoredDevice[] {
  const worst: ScoredDevice[] = [];
  for (const each of devices) {
    if (each.health.score >= 100) continue;
    const place = worst.findIndex((other) => isWorse(each, other));
    if (place >= 0) worst.splice(place, 0, each);
    else if (worst.length < count) worst.push(each);
    if (worst.length > count) worst.pop();
  }
  return worst;
}

const isWorse = (a: ScoredDevice, b: ScoredDevice): boolean =>
  a.health.score < b.health.score || (a.health.score === b.health.score && a.device.id < b.device.id);
