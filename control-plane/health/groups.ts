import { Accumulator } from "./accumulator.ts";
import type { ScopeKind } from "./scopes.ts";

/** Scope of the whole fleet: the site above all sites. */
export const FLEET = "";

export interface Group {
  readonly kind: Exclude<ScopeKind, "device">;
  readonly name: string;
  readonly sums: Accumulator;
}

/** Where a device stands. */
export interface Place {
  site: string;
  hardwareClass: string;
}

/** Every site at or above the path, the fleet first. */
export function sitesAbove(path: string): string[] {
  const names = path.split("/");
  return [FLEET, ...names.map((_, depth) => names.slice(0, depth + 1).join("/"))];
}

/** Sums of sites, classes and releases. */
export class Groups {
  readonly #groups = new Map<string, Group>();

  of(kind: Group["kind"], name: string): Group {
    const key = `${kind}:${name}`;
    let group = this.#groups.get(key);
    if (!group) {
      group = { kind, name, sums: new Accumulator() };
      this.#groups.set(key, group);
    }
    return group;
  }

  /** Undefined where nothing was counted. */
  known(kind: Group["kind"], name: string): Group | undefined {
    return this.#groups.get(`${kind}:${name}`);
  }

  /** Those that a device at this place counts for. */
  at(place: Place | undefined): Group[] {
    const sites = place ? sitesAbove(place.site) : [FLEET];
    return [
      ...sites.map((site) => this.of("site", site)),
      ...(place ? [this.of("class", place.hardwareClass)] : []),
    ];
  }

  all(): Iterable<Group> {
    return this.#groups.values();
  }
}
