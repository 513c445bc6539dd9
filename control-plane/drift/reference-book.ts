import { ReferenceSet } from "@muster/shared/protocol/model-evidence";
import { ReleaseManifest } from "@muster/shared/protocol/release";
import { DEFAULT_MONITOR } from "@muster/shared/protocol/serving/default-monitor";
import type { Monitor } from "@muster/shared/protocol/serving/monitoring";
import { parseJson } from "@muster/shared/protocol/validate";
import { hexOf } from "@muster/shared/trust/digest";
import type { Database, Statement } from "better-sqlite3";
import type { Series } from "./drift-store.ts";

/** What windows of one variant are judged by. */
export interface SeriesReference {
  /** Digest of the reference set. */
  readonly digest: string;
  readonly release: { readonly name: string; readonly version: string };
  readonly set: ReferenceSet;
  readonly rule: Monitor;
}

/** References kept in memory; the one used longest ago goes first. */
const MOST_KNOWN = 256;
/** Time for which an unknown one is not looked for again, milliseconds: devices may make releases up. */
const LOOK_MS = 5_000;

const keyOf = ({ release, model, version, variant }: Series): string =>
  `${release}/${model}/${version}/${variant}`;

/** Reference sets of the registered releases, read from the artifact store when they are needed first. */
export class ReferenceBook {
  readonly #release: Statement<[string], { name: string; version: string; manifest: string }>;
  readonly #read: (hex: string) => Promise<Uint8Array>;
  readonly #now: () => number;
  readonly #known = new Map<string, SeriesReference>();
  readonly #missing = new Map<string, number>();

  /** @param read content of an artifact by the hex digits of its digest */
  constructor(controlReader: Database, read: (hex: string) => Promise<Uint8Array>, now: () => number) {
    this.#release = controlReader.prepare("SELECT name, version, manifest FROM releases WHERE digest = ?");
    this.#read = read;
    this.#now = now;
  }

  /** Undefined where it was not read before, or there is none. */
  known(series: Series): SeriesReference | undefined {
    return this.#known.get(keyOf(series));
  }

  /** Reads the reference of a series, if there is such a release, model and variant. */
  async read(series: Series): Promise<SeriesReference | undefined> {
    const key = keyOf(series);
    const known = this.#known.get(key);
    if (known) {
      this.#known.delete(key);
      this.#known.set(key, known);
      return known;
    }
    const missedAt = this.#missing.get(key);
    const now = this.#now();
    if (missedAt !== undefined && Math.abs(now - missedAt) < LOOK_MS) return undefined;
    const found = await this.#find(series).catch(() => undefined);
    if (found) {
      this.#missing.delete(key);
      this.#known.set(key, found);
      dropOldest(this.#known);
    } else {
      this.#missing.delete(key);
      this.#missing.set(key, now);
      dropOldest(this.#missing);
    }
    return found;
  }

  async #find({ release, model, version, variant }: Series): Promise<SeriesReference | undefined> {
    const row = this.#release.get(release);
    if (!row) return undefined;
    const manifest = parseJson(ReleaseManifest, row.manifest, "storage.broken");
    for (const component of manifest.components) {
      if (component.type !== "model" || component.name !== model || component.version !== version) continue;
      const built = component.variants.find(({ id }) => id === variant);
      if (!built) continue;
      const { digest } = built.reference;
      const bytes = await this.#read(hexOf(digest));
      return {
        digest,
        release: { name: row.name, version: row.version },
        set: parseJson(ReferenceSet, bytes, "storage.broken"),
        rule: component.serving?.monitor ?? DEFAULT_MONITOR,
      };
    }
    return undefined;
  }
}

function dropOldest(map: Map<string, unknown>): void {
  const [oldest] = map.keys();
  if (map.size > MOST_KNOWN && oldest !== undefined) map.delete(oldest);
}
