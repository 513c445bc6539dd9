import { ReleaseManifest } from "@muster/shared/protocol/release";
import { parseJson } from "@muster/shared/protocol/validate";
import type { DirectivePayload } from "@muster/shared/trust/directive";
import type { Database, Statement } from "better-sqlite3";
import { type ToldReleases, toldReleases } from "../rollouts/told-releases.ts";
import type { PredictedRelease, Predictions } from "./appraisal/input.ts";

/** Releases that a device was told before, as many as may still be on it. */
const MOST_FORMER = 8;
/** Manifests kept in memory; the one used longest ago goes first. */
const MOST_KNOWN = 128;

/** Reference values that rollouts bring with them: the digests of the signed releases that a device was told. */
export class ReleasePredictions {
  readonly #release: Statement<[string], { name: string; version: string; manifest: string }>;
  readonly #owner: Statement<[string], { name: string; version: string }>;
  readonly #former: ToldReleases;
  readonly #known = new Map<string, PredictedRelease>();

  /** @param reader the connection to control.db that only reads */
  constructor(reader: Database) {
    this.#release = reader.prepare("SELECT name, version, manifest FROM releases WHERE digest = ?");
    this.#owner = reader.prepare(
      `SELECT r.name, r.version FROM release_artifacts a JOIN releases r ON r.digest = a.release
       WHERE a.artifact = ? LIMIT 1`,
    );
    this.#former = toldReleases(reader);
  }

  /** What a device may run by what it was told. @param directive the newest one; null where there is none */
  of(device: string, directive: DirectivePayload | null): Predictions {
    const current = directive?.release ? this.#find(directive.release.digest) : undefined;
    const former = this.#former(device, MOST_FORMER).filter((digest) => digest !== current?.digest);
    return {
      current: current ?? null,
      former: former.flatMap((digest) => this.#find(digest) ?? []),
      generation: directive?.generation ?? 0,
      signed: (digest) => {
        const found = this.#find(digest) ?? this.#owner.get(digest);
        return found && `${found.name} ${found.version}`;
      },
    };
  }

  #find(digest: string): PredictedRelease | undefined {
    const known = this.#known.get(digest);
    if (known) {
      this.#known.delete(digest);
      this.#known.set(digest, known);
      return known;
    }
    const row = this.#release.get(digest);
    if (!row) return undefined;
    const { components } = parseJson(ReleaseManifest, row.manifest, "storage.broken");
    const release: PredictedRelease = {
      digest,
      name: row.name,
      version: row.version,
      components: components.map((component) => ({
        type: component.type,
        name: component.name,
        version: component.version,
        digests:
          component.type === "model"
            ? component.variants.map(({ model }) => model.digest)
            : [component.document.digest],
      })),
    };
    this.#known.set(digest, release);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MOST_KNOWN && oldest !== undefined) this.#known.delete(oldest);
    return release;
  }
}
