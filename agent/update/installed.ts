import { MusterError } from "@muster/shared/errors";
import { ChoiceReport } from "@muster/shared/protocol/choice";
import type { HardwareFacts } from "@muster/shared/protocol/hardware";
import { Name } from "@muster/shared/protocol/primitives";
import { type ModelComponent, ReleaseManifest } from "@muster/shared/protocol/release";
import { parseJson } from "@muster/shared/protocol/validate";
import { fittingVariants, plannedVariants } from "@muster/shared/protocol/variants";
import { sha256 } from "@muster/shared/trust/digest";
import type { Database } from "better-sqlite3";
import { type Static, Type } from "typebox";

const Pick = Type.Object({
  variant: Name,
  provider: Name,
  /** It stands in for a better provider of its variant. */
  fallback: Type.Boolean(),
});
/** One variant on one provider. */
export type Pick = Static<typeof Pick>;

const ModelChoice = Type.Object({
  /** What is measured, in the release's order; after the commit what is kept. */
  candidates: Type.Array(Pick),
  /** Until it was measured, the first candidate. */
  chosen: Pick,
  /** Variants that the cascade asks for. */
  cascade: Type.Array(Pick),
  /** What stands in for the chosen one when it keeps crashing, best first. */
  ladder: Type.Array(Pick),
  report: Type.Optional(ChoiceReport),
});
export type ModelChoice = Static<typeof ModelChoice>;

/** By `name@version` of the model. */
const Choices = Type.Record(Type.String(), ModelChoice);

/** A release with what this device runs of it. */
export interface InstalledRelease {
  digest: string;
  /** The manifest as it was signed. */
  text: string;
  manifest: ReleaseManifest;
  choices: Static<typeof Choices>;
}

export const choiceKey = ({ name, version }: { name: string; version: string }): string =>
  `${name}@${version}`;

export const modelsIn = (manifest: ReleaseManifest): ModelComponent[] =>
  manifest.components.filter((component) => component.type === "model");

/**
 * What this device is to fetch of a release; nothing is measured yet.
 * @throws MusterError `release.no-variant`
 */
export function planRelease(
  { manifest, text }: { manifest: ReleaseManifest; text: string },
  facts: HardwareFacts,
): InstalledRelease {
  const choices = modelsIn(manifest).map((component) => [choiceKey(component), planModel(component, facts)]);
  return { digest: sha256(text), text, manifest, choices: Object.fromEntries(choices) };
}

function planModel(component: ModelComponent, facts: HardwareFacts): ModelChoice {
  const { candidates, cascade } = plannedVariants(component, facts);
  const picked = candidates.map((candidate) => pick(candidate, facts));
  const [chosen] = picked as [Pick];
  const others = fittingVariants(component, facts).fitting.filter(
    ({ variant }) => variant.id === chosen.variant,
  );
  const ladder = others
    .filter(({ provider }) => provider !== chosen.provider)
    .map(({ provider }) => ({ variant: chosen.variant, provider, fallback: true }));
  return { candidates: picked, chosen, cascade: cascade.map((rung) => pick(rung, facts)), ladder };
}

function pick(
  { variant, provider }: ReturnType<typeof plannedVariants>["candidates"][number],
  facts: HardwareFacts,
): Pick {
  const [best] = variant.requires.providers;
  const fallback = provider !== best && !facts.providers.includes(best ?? "");
  return { variant: variant.id, provider, fallback };
}

/** True when the device still has every provider that was chosen. */
export const stillFits = ({ choices }: InstalledRelease, facts: HardwareFacts): boolean =>
  Object.values(choices).every(({ chosen }) => facts.providers.includes(chosen.provider));

/**
 * The release after its commit: what was measured and lost is let go, but for what the supervisor may yet need.
 */
export function withoutLosers(release: InstalledRelease): InstalledRelease {
  const choices = Object.entries(release.choices).map(([key, choice]) => [
    key,
    { ...choice, candidates: [choice.chosen, ...choice.ladder] },
  ]);
  return { ...release, choices: Object.fromEntries(choices) };
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

  /** Undefined when it was never stored, or is not what was: a manifest proves itself by its digest. */
  find(digest: string): InstalledRelease | undefined {
    const row = this.#database
      .prepare<[string], { manifest: string; choices: string }>(
        "SELECT manifest, choices FROM update_releases WHERE digest = ?",
      )
      .get(digest);
    // Whoever can write to the database could else have anything run under the name of a signed release.
    if (!row || sha256(row.manifest) !== digest) return undefined;
    return {
      digest,
      text: row.manifest,
      manifest: parseJson(ReleaseManifest, row.manifest, "release.manifest-invalid"),
      choices: parseJson(Choices, row.choices, "storage.broken"),
    };
  }

  /** @throws MusterError `internal.unexpected` when it was never stored */
  get(digest: string): InstalledRelease {
    const found = this.find(digest);
    if (!found) throw new MusterError("internal.unexpected", `The release ${digest} is not known here.`);
    return found;
  }

  all(): InstalledRelease[] {
    const stored = this.#database.prepare<[], string>("SELECT digest FROM update_releases").pluck().all();
    return stored.flatMap((digest) => this.find(digest) ?? []);
  }

  /** Forgets all releases but those named. @returns those that are left */
  keepOnly(digests: readonly string[]): InstalledRelease[] {
    const stored = this.#database.prepare<[], string>("SELECT digest FROM update_releases").pluck().all();
    for (const digest of stored)
      if (!digests.includes(digest))
        this.#database.prepare("DELETE FROM update_releases WHERE digest = ?").run(digest);
    return stored.filter((digest) => digests.includes(digest)).flatMap((digest) => this.find(digest) ?? []);
  }
}
