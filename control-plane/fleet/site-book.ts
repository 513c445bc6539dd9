import type { Labels } from "@muster/shared/protocol/primitives";
import type { WeeklyWindow } from "@muster/shared/time/weekly-window";

/** What is stated of a site itself; null and labels not named come from the site above. */
export interface SiteSettings {
  labels: Labels;
  /** IANA name. */
  timeZone: string | null;
  /** Kilobits a second. */
  uplinkKbps: number | null;
  /** Empty for any time. */
  windows: WeeklyWindow[] | null;
}

export interface SiteEntry extends SiteSettings {
  path: string;
}

/** What holds at a site, with everything that it inherits. */
export interface EffectiveSite {
  labels: Labels;
  /** `UTC` where nobody stated one. */
  timeZone: string;
  /** Null where nobody stated one: downloads are not limited by it. */
  uplinkKbps: number | null;
  /** Empty for any time. */
  windows: WeeklyWindow[];
}

const NOTHING: SiteSettings = { labels: {}, timeZone: null, uplinkKbps: null, windows: null };
const WORLD: EffectiveSite = { labels: {}, timeZone: "UTC", uplinkKbps: null, windows: [] };

/** The path above, undefined for a path of one name. */
const above = (path: string): string | undefined => {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? undefined : path.slice(0, slash);
};

/** What is stated of sites, and what follows for those below. It never changes: a change makes a new book. */
export class SiteBook {
  readonly #entries: ReadonlyMap<string, SiteEntry>;
  readonly #effective = new Map<string, EffectiveSite>();
  readonly #merged = new WeakMap<Labels, WeakMap<Labels, Labels>>();

  constructor(entries: readonly SiteEntry[]) {
    this.#entries = new Map(entries.map((entry) => [entry.path, entry]));
  }

  /** Sites of which anything is stated, in path order. */
  entries(): Iterable<SiteEntry> {
    return this.#entries.values();
  }

  /** What is stated of the site itself. */
  settingsOf(path: string): SiteSettings {
    const { labels, timeZone, uplinkKbps, windows } = this.#entries.get(path) ?? NOTHING;
    return { labels, timeZone, uplinkKbps, windows };
  }

  effective(path: string): EffectiveSite {
    const known = this.#effective.get(path);
    if (known) return known;
    const parent = above(path);
    const inherited = parent === undefined ? WORLD : this.effective(parent);
    const own = this.#entries.get(path);
    const effective = own ? inherit(inherited, own) : inherited;
    this.#effective.set(path, effective);
    return effective;
  }

  /** A device's labels with those that it inherits from its site; its own win. Devices that have the same share them. */
  labelsWith(path: string, own: Labels): Labels {
    const { labels } = this.effective(path);
    if (labels === WORLD.labels) return own;
    let merged = this.#merged.get(labels);
    if (!merged) {
      merged = new WeakMap();
      this.#merged.set(labels, merged);
    }
    let both = merged.get(own);
    if (!both) {
      both = { ...labels, ...own };
      merged.set(own, both);
    }
    return both;
  }
}

const inherit = (inherited: EffectiveSite, own: SiteSettings): EffectiveSite => ({
  labels: Object.keys(own.labels).length === 0 ? inherited.labels : { ...inherited.labels, ...own.labels },
  timeZone: own.timeZone ?? inherited.timeZone,
  uplinkKbps: own.uplinkKbps ?? inherited.uplinkKbps,
  windows: own.windows ?? inherited.windows,
});
