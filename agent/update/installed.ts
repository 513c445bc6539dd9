import { MusterError } from "@muster/shared/errors";
import type { HardwareFacts } from "@muster/shared/protocol/hardware";
import { Name } from "@muster/shared/protocol/primitives";
import { type Artifact, ReleaseManifest } from "@muster/shared/protocol/release";
import type { Serving } from "@muster/shared/protocol/serving/serving";
import { parseJson } from "@muster/shared/protocol/validate";
import { chooseVariant } from "@muster/shared/protocol/variants";
import { sha256 } from "@muster/shared/trust/digest";
import type { Database } from "better-sqlite3";
import { type Static, Type } from "typebox";

const Choices = Type.Record(Name, Type.Object({ variant: Name, provider: Name }));

/** A release with the variants that were chosen for this device, by component name. */
export interface InstalledRelease {
  digest: string;
  /** The manifest as it was signed. */
  text: string;
  manifest: ReleaseManifest;
  choices: Static<typeof Choices>;
}

/** @throws MusterError `release.no-variant` */
export function chooseVariants(
  { manifest, text }: { manifest: ReleaseManifest; text: string },
  facts: HardwareFacts,
): InstalledRelease {
  const choices: InstalledRelease["choices"] = {};
  for (const component of manifest.components) {
    if (component.type !== "model") continue;
    const { variant, provider } = chooseVariant(component, facts);
    choices[component.name] = { variant: variant.id, provider };
  }
  return { digest: sha256(text), text, manifest, choices };
}

/** A file of a release: where it lies below the release folder, and how it is checked. */
export interface ReleaseFile {
  path: string;
  artifact: Artifact;
  kind: "model" | "golden" | "reference" | "config";
}

export interface ChosenModel {
  name: string;
  version: string;
  variant: string;
  provider: string;
  fallback: boolean;
  labels?: string[];
  serving?: Serving;
  files: { model: ReleaseFile; golden: ReleaseFile; reference: ReleaseFile };
}

/** The models of a release in the variants chosen for this device. */
export function chosenModels({ manifest, choices }: InstalledRelease): ChosenModel[] {
  return manifest.components.flatMap((component) => {
    if (component.type !== "model") return [];
    const choice = choices[component.name];
    const variant = component.variants.find(({ id }) => id === choice?.variant);
    if (!choice || !variant)
      throw new MusterError("internal.unexpected", `No variant of ${component.name} was chosen.`);
    const { name, version, labels, serving } = component;
    const folder = `models/${name}/${variant.id}`;
    return [
      {
        name,
        version,
        variant: variant.id,
        provider: choice.provider,
        fallback: choice.provider !== variant.requires.providers[0],
        ...(labels && { labels }),
        ...(serving && { serving }),
        files: {
          model: { path: `${folder}/model.onnx`, artifact: variant.model, kind: "model" },
          golden: { path: `${folder}/golden.json`, artifact: variant.golden, kind: "golden" },
          reference: { path: `${folder}/reference.json`, artifact: variant.reference, kind: "reference" },
        },
      },
    ];
  });
}

/** Every file that this device needs of the release. */
export function filesOf(release: InstalledRelease): ReleaseFile[] {
  const models = chosenModels(release).flatMap(({ files }) => Object.values(files));
  const configs = release.manifest.components.flatMap((component): ReleaseFile[] =>
    component.type === "config"
      ? [{ path: `config/${component.name}.json`, artifact: component.document, kind: "config" }]
      : [],
  );
  return [...models, ...configs];
}

/** Releases that the device holds or is about to fetch, in the database. */
export class InstalledReleases {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Idempotent. */
  store(release: InstalledRelease, now: number): void {
    this.#database
      .prepare(
        "INSERT OR REPLACE INTO update_releases (digest, manifest, choices, stored_at) VALUES (?, ?, ?, ?)",
      )
      .run(release.digest, release.text, JSON.stringify(release.choices), now);
  }

  /** @throws MusterError `internal.unexpected` when it was never stored */
  get(digest: string): InstalledRelease {
    const row = this.#database
      .prepare<[string], { manifest: string; choices: string }>(
        "SELECT manifest, choices FROM update_releases WHERE digest = ?",
      )
      .get(digest);
    if (!row) throw new MusterError("internal.unexpected", `The release ${digest} is not known here.`);
    return {
      digest,
      text: row.manifest,
      manifest: parseJson(ReleaseManifest, row.manifest, "release.manifest-invalid"),
      choices: parseJson(Choices, row.choices, "storage.broken"),
    };
  }

  /** Forgets all releases but those named. @returns those that are left */
  keepOnly(digests: readonly string[]): InstalledRelease[] {
    const stored = this.#database.prepare<[], string>("SELECT digest FROM update_releases").pluck().all();
    for (const digest of stored)
      if (!digests.includes(digest))
        this.#database.prepare("DELETE FROM update_releases WHERE digest = ?").run(digest);
    return stored.filter((digest) => digests.includes(digest)).map((digest) => this.get(digest));
  }
}
