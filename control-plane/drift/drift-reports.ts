import { MusterError } from "@muster/shared/errors";
import type { InputQuality } from "@muster/shared/protocol/drift-window";
import type { Histogram } from "@muster/shared/protocol/model-evidence";
import { type DriftBand, type FeatureDrift, judgeDrift } from "@muster/shared/stats/drift";
import type { Directory } from "../fleet/directory.ts";
import type { FleetDevice } from "../fleet/fleet-device.ts";
import { FLEET } from "../health/groups.ts";
import type { Scope, Scopes } from "../health/scopes.ts";
import { Reach } from "../people/reach.ts";
import type { DriftLedger } from "./drift-ledger.ts";
import { GRAIN_MS, type Series } from "./drift-store.ts";
import { addSums, type DriftSums, noSums } from "./drift-sums.ts";
import type { ReferenceBook, SeriesReference } from "./reference-book.ts";
import { alarms, nameOf, type Standing } from "./standings.ts";

export interface DriftFilter {
  /** At most one of site, class and device; the fleet where there is none. */
  readonly site?: string | undefined;
  readonly class?: string | undefined;
  readonly device?: string | undefined;
  /** `NAME@VERSION` or digest. */
  readonly release?: string | undefined;
  readonly model?: string | undefined;
  /** How far back, hours; up to 7 days by the hour, beyond that by the day (UTC). */
  readonly hours?: number | undefined;
}

/** A device whose own alarm holds now. */
export interface DriftingDevice {
  readonly device: string;
  readonly name: string;
  readonly site: string;
  readonly against: "reference" | "baseline";
  readonly feature: string | null;
  readonly psi: number;
}

/** A feature as it is told. */
export interface DriftingFeature extends Omit<FeatureDrift, "threshold"> {
  /** Null where no size would be beyond chance: all values lie in one bin. */
  readonly threshold: number | null;
}

export interface DriftLine {
  readonly release: { readonly name: string; readonly version: string; readonly digest: string };
  readonly model: string;
  readonly version: string;
  readonly variant: string;
  readonly windows: number;
  /** Windows that devices judged, and those that differed. */
  readonly judged: number;
  readonly drifted: number;
  readonly samples: number;
  readonly rejected: number;
  /** All of it together against the reference of the release. */
  readonly band: DriftBand;
  readonly worst: DriftingFeature | null;
  /** Devices that watch it now, and those among them with an alarm. */
  readonly devices: number;
  readonly alarms: number;
}

export interface DriftDetail extends DriftLine {
  readonly reference: { readonly digest: string; readonly samples: number };
  readonly features: (DriftingFeature & {
    edges: number[];
    expected: number[];
    counts: number[];
  })[];
  readonly inputs: Record<string, InputQuality>;
  readonly drifting: DriftingDevice[];
}

const DEFAULT_HOURS = 24;
const MOST_HOURLY = 7 * 24;
const HOUR_MS = GRAIN_MS["1h"];
/** Devices named in a report. */
const NAMED = 20;

interface Parts {
  readonly ledger: DriftLedger;
  readonly references: ReferenceBook;
  readonly scopes: Scopes;
  readonly directory: Directory;
  /** Digest of a release that is named `NAME@VERSION`. */
  digestOf(named: string): string | undefined;
  now(): number;
}

/** What operators ask about drift. */
export class DriftReports {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Windows that could not be counted since the start: of releases that are not registered, or with other bins. */
  get refused(): number {
    return this.#parts.ledger.refused;
  }

  /** Every variant that was watched in the scope, the largest drift first. @throws MusterError `request.invalid` */
  async list(filter: DriftFilter, reach: Reach = Reach.everywhere): Promise<DriftLine[]> {
    const found = await this.#details(filter, reach);
    return found.map(({ reference: _r, features: _f, inputs: _i, drifting: _d, ...line }) => line);
  }

  /**
   * One model of one release, each of its variants with every feature.
   * @throws MusterError `request.invalid`, `request.not-found`
   */
  async show(
    filter: DriftFilter & { release: string; model: string },
    reach: Reach = Reach.everywhere,
  ): Promise<DriftDetail[]> {
    const found = await this.#details(filter, reach);
    if (found.length === 0)
      throw new MusterError(
        "request.not-found",
        `Nothing was told of model ${filter.model} of ${filter.release} there in this time.`,
      );
    return found;
  }

  async #details(filter: DriftFilter, reach: Reach): Promise<DriftDetail[]> {
    const scopes = scopesWithin(scopeOf(filter), reach);
    const release = this.releaseOf(filter.release);
    const members = this.#members(scopes);
    const details: DriftDetail[] = [];
    for (const [series, sums] of this.#sums(scopes, filter.hours ?? DEFAULT_HOURS)) {
      if (release !== undefined && series.release !== release) continue;
      if (filter.model !== undefined && series.model !== filter.model) continue;
      const reference = await this.#parts.references.read(series);
      if (reference) details.push(this.#detail(series, sums, reference, members));
    }
    return details.sort((a, b) => (b.worst?.psi ?? 0) - (a.worst?.psi ?? 0));
  }

  #sums(all: readonly Scope[], hours: number): [Series, DriftSums][] {
    const { ledger, scopes, now } = this.#parts;
    const sums = new Map<number, DriftSums>();
    const grain = hours > MOST_HOURLY ? "1d" : "1h";
    for (const { kind, name } of all) {
      const id = scopes.known(kind, name);
      if (id === undefined) continue;
      for (const { series, sums: more } of ledger.book.since(grain, id, now() - hours * HOUR_MS)) {
        const known = sums.get(series) ?? noSums();
        addSums(known, more);
        sums.set(series, known);
      }
    }
    return [...sums].flatMap(([series, total]) => {
      const known = ledger.book.series(series);
      return known ? [[known, total] as [Series, DriftSums]] : [];
    });
  }

  #detail(
    series: Series,
    sums: DriftSums,
    { digest, release, set, rule }: SeriesReference,
    members: readonly FleetDevice[],
  ): DriftDetail {
    const expected = Object.fromEntries(
      Object.entries(set.features).map(([feature, { counts }]) => [feature, counts] as const),
    );
    const judged = judgeDrift(expected, sums.features, rule, sums.effective).map(told);
    const standing = this.#standing(series, members);
    const drifting = standing.flatMap(([device, each]) => driftingDevice(device, each) ?? []);
    return {
      release: { ...release, digest: series.release },
      model: series.model,
      version: series.version,
      variant: series.variant,
      windows: sums.windows,
      judged: sums.judged,
      drifted: sums.drifted,
      samples: sums.samples,
      rejected: sums.rejected,
      band: judged[0]?.band ?? "none",
      worst: judged[0] ?? null,
      devices: standing.length,
      alarms: drifting.length,
      reference: { digest, samples: set.samples },
      features: judged.map((each) => {
        const { edges, counts } = set.features[each.feature] as Histogram;
        return { ...each, edges, expected: counts, counts: sums.features[each.feature] ?? [] };
      }),
      inputs: sums.inputs,
      drifting: drifting.sort((a, b) => b.psi - a.psi).slice(0, NAMED),
    };
  }

  #standing(series: Series, members: readonly FleetDevice[]): [FleetDevice, Standing][] {
    const now = this.#parts.now();
    return members.flatMap((device) =>
      this.#parts.ledger.standings
        .of(device.id, device.running?.digest, now)
        .filter(
          ([name, { release, variant }]) =>
            name === nameOf(series) && release === series.release && variant === series.variant,
        )
        .map(([, each]) => [device, each] as [FleetDevice, Standing]),
    );
  }

  #members(scopes: readonly Scope[]): FleetDevice[] {
    this.#parts.directory.refresh();
    return [...this.#parts.directory.all()].filter(
      (device) => device.active && scopes.some((scope) => isMember(scope, device)),
    );
  }

  /** Digest of a release by `NAME@VERSION` or digest. @throws MusterError `request.not-found` */
  releaseOf(named: string | undefined): string | undefined {
    if (named === undefined || named.startsWith("sha256:")) return named;
    const digest = this.#parts.digestOf(named);
    if (digest === undefined) throw new MusterError("request.not-found", `There is no release ${named}.`);
    return digest;
  }
}

function isMember({ kind, name }: Scope, { id, site, hardwareClass }: FleetDevice): boolean {
  if (kind === "device") return id === name;
  if (kind === "class") return hardwareClass === name;
  return name === FLEET || site === name || site.startsWith(`${name}/`);
}

/** What was counted by class does not say where it was. */
function scopesWithin(scope: Scope, reach: Reach): Scope[] {
  if (reach.isEverywhere || scope.kind === "device") return [scope];
  if (scope.kind === "site" && scope.name === FLEET)
    return reach.sites.map((name) => ({ kind: "site", name }));
  if (scope.kind === "site" && reach.covers(scope.name)) return [scope];
  throw new MusterError(
    "access.denied",
    `Drift of a ${scope.kind} beyond ${reach.text} is not yours to see.`,
  );
}

/** JSON has no infinity. */
const told = ({ threshold, ...feature }: FeatureDrift): DriftingFeature => ({
  ...feature,
  threshold: Number.isFinite(threshold) ? threshold : null,
});

function scopeOf({ site, class: hardwareClass, device }: DriftFilter): Scope {
  const given = [site, hardwareClass, device].filter((each) => each !== undefined);
  if (given.length > 1)
    throw new MusterError("request.invalid", "Ask for one of site, class and device, not for several.");
  if (device !== undefined) return { kind: "device", name: device };
  return hardwareClass === undefined
    ? { kind: "site", name: site ?? FLEET }
    : { kind: "class", name: hardwareClass };
}

function driftingDevice({ id, name, site }: FleetDevice, standing: Standing): DriftingDevice | undefined {
  if (!alarms(standing)) return undefined;
  const against = standing.againstReference?.alarm ? "reference" : "baseline";
  const judged = against === "reference" ? standing.againstReference : standing.againstBaseline;
  return { device: id, name, site, against, feature: judged?.feature ?? null, psi: judged?.psi ?? 0 };
}
