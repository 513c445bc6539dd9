import { readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { sha256 } from "@muster/shared/trust/digest";
import { env } from "onnxruntime-node";
import { buildOnce } from "./build-once.ts";
import { defects } from "./defects/family.ts";
import { EVIDENCE_PLAN } from "./evidence/variants.ts";
import type { ModelFamily } from "./family.ts";
import { type BuiltRelease, buildReleases } from "./releases.ts";
import { vibration } from "./vibration/family.ts";

export const FAMILIES: readonly ModelFamily[] = [vibration, defects];

/** What was built and where: the content of `models.json` with absolute directories. */
export interface DemoModels {
  readonly directory: string;
  readonly families: readonly {
    readonly name: string;
    readonly labels: readonly string[];
    readonly releases: readonly (BuiltRelease & {
      /** Absolute path of the directory with `release.json`. */
      readonly directory: string;
    })[];
  }[];
}

interface Summary {
  readonly families: readonly {
    readonly name: string;
    readonly labels: readonly string[];
    readonly releases: readonly BuiltRelease[];
  }[];
}

const SUMMARY = "models.json";

/**
 * Trains, quantizes and writes all demo releases, or answers at once with those that an earlier call left.
 * Without a directory they are kept in the temporary folder under a key of this generator's own code, so that
 * a changed generator builds anew. Calls of several processes at a time share one build.
 * @throws MusterError `request.conflict` when the directory holds something else or another generator's models
 */
export async function buildDemoModels(options: { readonly directory?: string } = {}): Promise<DemoModels> {
  const key = await generatorKey();
  const directory =
    options.directory ?? join(tmpdir(), `muster-models-${userInfo().username}-${key.slice(0, 16)}`);
  await buildOnce(directory, key, async (folder) => {
    const families = [];
    for (const family of FAMILIES) {
      const releases = await buildReleases(folder, family, EVIDENCE_PLAN);
      families.push({ name: family.name, labels: family.labels, releases });
    }
    await writeFile(join(folder, SUMMARY), `${JSON.stringify({ families } satisfies Summary, null, 2)}\n`);
  });
  const summary = JSON.parse(await readFile(join(directory, SUMMARY), "utf8")) as Summary;
  return {
    directory,
    families: summary.families.map((family) => ({
      ...family,
      releases: family.releases.map((release) => ({
        ...release,
        directory: join(directory, release.folder),
      })),
    })),
  };
}

/** Digest of everything that decides the output: this folder's compiled code, the runtime and the processor. */
async function generatorKey(): Promise<string> {
  const folder = import.meta.dirname;
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".js")).sort();
  const digests = await Promise.all(
    names.map(async (name) => `${name} ${sha256(await readFile(join(folder, name)))}`),
  );
  const runtime = `${JSON.stringify(env.versions)} ${process.arch}`;
  return sha256([runtime, ...digests].join("\n")).slice("sha256:".length);
}
