import { MusterError } from "@muster/shared/errors";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import {
  type Artifact,
  artifactsOf,
  keysOf,
  ReleaseManifest,
  releaseTarget,
} from "@muster/shared/protocol/release";
import { parseJson } from "@muster/shared/protocol/validate";
import { canonicalJson } from "@muster/shared/trust/canonical-json";
import { hexOf, sha256 } from "@muster/shared/trust/digest";
import { parseTargets, targetEntries } from "@muster/shared/trust/tuf";
import type { Kysely } from "kysely";
import type { ControlTables } from "../storage/tables/index.ts";
import type { QuarantinesTable, ReleasesTable } from "../storage/tables/releases.ts";
import { type ControlTransaction, inTransaction } from "../storage/transaction.ts";
import type { TrustRepository } from "../trust/repository.ts";
import type { ArtifactStore } from "./artifact-store.ts";
import { requireSound } from "./manifest-rules.ts";
import { requireEntries } from "./targets-rules.ts";
import { type ReleaseView, releaseView } from "./views.ts";

export interface ReleaseSettings {
  db: Kysely<ControlTables>;
  trust: TrustRepository;
  artifacts: ArtifactStore;
  /** Milliseconds since the epoch. */
  clock: () => number;
}

/** The releases that the fleet may run. A release is registered once and never changes. */
export class ReleaseRegistry {
  readonly #settings: ReleaseSettings;

  constructor(settings: ReleaseSettings) {
    this.#settings = settings;
  }

  /**
   * Registers a release and takes the targets metadata that signs it, both or neither.
   * @param given `manifest`: the canonical JSON of a `ReleaseManifest`; `targets`: signed targets metadata that
   * lists it and every release registered before
   * @throws MusterError `release.manifest-invalid`, `release.exists`, `release.artifact-missing`,
   * `key.unknown`, `artifact.corrupted` (an artifact has another size), `release.digest-mismatch`, `request.conflict` (somebody
   * else registered meanwhile: read the trust view and sign again) or of the `trust.` family
   */
  async create(given: { manifest: string; targets: string }): Promise<ReleaseView> {
    const { db, trust, clock } = this.#settings;
    const manifest = parseJson(ReleaseManifest, given.manifest, "release.manifest-invalid");
    if (canonicalJson(manifest) !== given.manifest)
      throw new MusterError("release.manifest-invalid", "The manifest is not in canonical JSON.");
    const artifacts = artifactsOf(manifest);
    const digest = sha256(given.manifest);
    const row: ReleasesTable = {
      name: manifest.name,
      version: manifest.version,
      sequence: manifest.sequence,
      digest,
      manifest: given.manifest,
      size: artifacts.reduce((sum, artifact) => sum + artifact.size, 0),
      created_at: clock(),
    };
    requireSound(manifest);
    await this.#requireArtifacts(artifacts);
    await inTransaction(db, async (tx) => {
      await requireNew(tx, manifest);
      const keys = keysOf(manifest);
      await requireKeys(tx, keys);
      const entries = targetEntries(parseTargets(given.targets));
      const registered = await tx.selectFrom("releases").select(["name", "version", "digest"]).execute();
      requireEntries(entries, registered, {
        path: releaseTarget(manifest.name, manifest.version),
        length: Buffer.byteLength(given.manifest),
        sha256: hexOf(digest),
      });
      await trust.acceptTargets(tx, given.targets);
      await tx.insertInto("releases").values(row).execute();
      for (const key of keys) await tx.insertInto("release_keys").values({ release: digest, key }).execute();
      for (const artifact of artifacts)
        await tx
          .insertInto("release_artifacts")
          .values({ release: digest, artifact: artifact.digest, name: artifact.name, size: artifact.size })
          .execute();
    });
    return releaseView(row, []);
  }

  /** Every release, newest first. */
  async list(): Promise<ReleaseView[]> {
    const { db } = this.#settings;
    const rows = await db
      .selectFrom("releases")
      .selectAll()
      .orderBy("created_at", "desc")
      .orderBy("sequence", "desc")
      .execute();
    const quarantines = await this.quarantines();
    return rows.map((row) =>
      releaseView(
        row,
        quarantines.filter(({ release }) => release === row.digest),
      ),
    );
  }

  /** @throws MusterError `request.not-found` */
  async get(name: string, version: string): Promise<ReleaseView> {
    const row = await this.#row(name, version);
    const quarantines = await this.quarantines();
    return releaseView(
      row,
      quarantines.filter(({ release }) => release === row.digest),
    );
  }

  /**
   * Reference and manifest of a release.
   * @param db the transaction to read in, where there is one
   * @throws MusterError `request.not-found`
   */
  async find(
    name: string,
    version: string,
    db: Kysely<ControlTables> = this.#settings.db,
  ): Promise<{ ref: ReleaseRef; manifest: ReleaseManifest }> {
    const row = await this.#row(name, version, db);
    const ref = { name, version, sequence: row.sequence, digest: row.digest };
    return { ref, manifest: parseJson(ReleaseManifest, row.manifest, "storage.broken") };
  }

  /** Canonical manifest text by name and the digest that consistent snapshots put before its file name. */
  async manifestText(name: string, version: string, hex: string): Promise<string | undefined> {
    const row = await this.#settings.db
      .selectFrom("releases")
      .select("manifest")
      .where("name", "=", name)
      .where("version", "=", version)
      .where("digest", "=", `sha256:${hex}`)
      .executeTakeFirst();
    return row?.manifest;
  }

  /** True when some release has this artifact: only those are handed to devices. */
  async hasArtifact(hex: string): Promise<boolean> {
    const row = await this.#settings.db
      .selectFrom("release_artifacts")
      .select("release")
      .where("artifact", "=", `sha256:${hex}`)
      .limit(1)
      .executeTakeFirst();
    return row !== undefined;
  }

  /** Releases in quarantine by hardware class. */
  async quarantines(db: Kysely<ControlTables> = this.#settings.db): Promise<QuarantinesTable[]> {
    return await db.selectFrom("quarantines").selectAll().orderBy("at").execute();
  }

  async #row(
    name: string,
    version: string,
    db: Kysely<ControlTables> = this.#settings.db,
  ): Promise<ReleasesTable> {
    const row = await db
      .selectFrom("releases")
      .selectAll()
      .where("name", "=", name)
      .where("version", "=", version)
      .executeTakeFirst();
    if (!row) throw new MusterError("request.not-found", `There is no release ${name} ${version}.`);
    return row;
  }

  async #requireArtifacts(artifacts: readonly Artifact[]): Promise<void> {
    for (const { name, digest, size } of artifacts) {
      const stored = await this.#settings.artifacts.size(hexOf(digest));
      if (stored === undefined)
        throw new MusterError("release.artifact-missing", `${name} (${digest}) is not in the store.`);
      if (stored !== size)
        throw new MusterError(
          "artifact.corrupted",
          `${name} (${digest}) has ${stored} bytes; the manifest says ${size}.`,
        );
    }
  }
}

/** A release whose key is nowhere could run on no device. */
async function requireKeys(tx: ControlTransaction, keys: readonly string[]): Promise<void> {
  for (const id of keys) {
    const row = await tx.selectFrom("model_keys").select("wrapped").where("id", "=", id).executeTakeFirst();
    if (!row)
      throw new MusterError("key.unknown", `The release needs the model key ${id}, which was not put.`);
    if (row.wrapped === null) throw new MusterError("key.withdrawn");
  }
}

async function requireNew(tx: ControlTransaction, manifest: ReleaseManifest): Promise<void> {
  const { name, version, sequence } = manifest;
  const rows = await tx
    .selectFrom("releases")
    .select(["version", "sequence"])
    .where("name", "=", name)
    .orderBy("sequence", "desc")
    .execute();
  if (rows.some((row) => row.version === version))
    throw new MusterError("release.exists", `The release ${name} ${version} exists already.`);
  const newest = rows[0];
  if (newest && sequence <= newest.sequence)
    throw new MusterError(
      "request.conflict",
      `The release has sequence ${sequence}; ${name} ${newest.version} has ${newest.sequence} already.`,
    );
}
