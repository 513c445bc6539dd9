import { Accumulator } from "./accumulator.ts";
import type { ScopeKind } from "./scopes.ts";

/** Hardware classes with figures of their own. A fleet has some dozens; devices may make them up. */
const MOST_CLASSES = 256;

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
  #classes = 0;
  /** Counts up when groups were forgotten: what was looked up before is not good any more. */
  version = 0;

  of(kind: Group["kind"], name: string): Group {
    const key = `${kind}:${name}`;
    let group = this.#groups.get(key);
    if (!group) {
      group = { kind, name, sums: new Accumulator() };
      this.#groups.set(key, group);
      if (kind === "class") this.#classes += 1;
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
      ...(place && this.#hasClass(place.hardwareClass) ? [this.of("class", place.hardwareClass)] : []),
    ];
  }

  all(): Iterable<Group> {
    return this.#groups.values();
  }

  /** Forgets the group if it holds nothing: what it ever held is stored. */
  forgetIdle({ kind, name, sums: { filled } }: Group): void {
    if (filled.open || filled.closed || filled.hour || filled.closedHour) return;
    this.#groups.delete(`${kind}:${name}`);
    if (kind === "class") this.#classes -= 1;
    this.version += 1;
  }

  #hasClass(name: string): boolean {
    return this.#groups.has(`class:${name}`) || this.#classes < MOST_CLASSES;
  }
}
