import type { Database, Statement } from "better-sqlite3";

/** Least time between two looks into the database, milliseconds: devices may make digests up. */
const LOOK_MS = 5_000;

/** Which releases there are, by digest. A new one is found within some seconds. */
export class KnownReleases {
  readonly #all: Statement<[], string>;
  readonly #named: Statement<[string, string], string>;
  readonly #now: () => number;
  #digests: ReadonlySet<string>;
  #lookedAt: number;

  constructor(controlReader: Database, now: () => number) {
    this.#all = controlReader.prepare<[], string>("SELECT digest FROM releases").pluck();
    this.#named = controlReader
      .prepare<[string, string], string>("SELECT digest FROM releases WHERE name = ? AND version = ?")
      .pluck();
    this.#now = now;
    this.#digests = new Set(this.#all.all());
    this.#lookedAt = now();
  }

  /** Digest of a release that is named `NAME@VERSION`. */
  digestOf(named: string): string | undefined {
    const [name, version] = named.split("@", 2);
    return this.#named.get(name ?? "", version ?? "");
  }

  has(digest: string): boolean {
    if (!this.#digests.has(digest) && Math.abs(this.#now() - this.#lookedAt) >= LOOK_MS) {
      this.#digests = new Set(this.#all.all());
      this.#lookedAt = this.#now();
    }
    return this.#digests.has(digest);
  }
}
