import { readFile, realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { asMusterError, MusterError } from "@muster/shared/errors";
import {
  type Artifact,
  type Component,
  type ModelVariant,
  ReleaseManifest,
  releaseTarget,
} from "@muster/shared/protocol/release";
import { ReleaseSpec } from "@muster/shared/protocol/release-spec";
import { parseJson, validate } from "@muster/shared/protocol/validate";
import { canonicalJson } from "@muster/shared/trust/canonical-json";
import { hexOf, sha256 } from "@muster/shared/trust/digest";
import type { TargetEntry } from "@muster/shared/trust/tuf";
import { requireSound } from "./manifest-rules.ts";
import { hashFile, type PackagedFile } from "./release-file.ts";
import type { SealedModels } from "./sealing.ts";

export interface PackagedRelease {
  manifest: ReleaseManifest;
  /** Canonical JSON: these very bytes are signed and uploaded. */
  text: string;
  /** Entry for the targets metadata, see `addTarget`. */
  target: TargetEntry;
  /** Each digest once. */
  files: PackagedFile[];
}

/** The spec of a `release.json`. @throws MusterError `release.manifest-invalid` */
export async function readReleaseSpec(specFile: string): Promise<ReleaseSpec> {
  let text: string;
  try {
    text = await readFile(specFile, "utf8");
  } catch (cause) {
    throw new MusterError("release.manifest-invalid", `${specFile} cannot be read.`, { cause });
  }
  try {
    return parseJson(ReleaseSpec, text, "release.manifest-invalid");
  } catch (cause) {
    throw new MusterError("release.manifest-invalid", `${specFile}: ${asMusterError(cause).message}`, {
      cause,
    });
  }
}

/**
 * Hashes the files that a spec names, which lie in its directory or below, and makes the manifest.
 * @param sequence one more than the newest release of this name
 * @param sealed model files to take in place of those that the spec names
 * @throws MusterError `release.manifest-invalid` that names the file which is missing, empty or outside
 */
export async function packageRelease(
  specFile: string,
  spec: ReleaseSpec,
  sequence: number,
  sealed: SealedModels = new Map(),
): Promise<PackagedRelease> {
  const dir = await realpath(dirname(specFile));
  const files = new Map<string, PackagedFile>();
  const add = async (name: string): Promise<Artifact> => {
    const packaged = await hashFile(dir, name);
    files.set(packaged.artifact.digest, packaged);
    return packaged.artifact;
  };
  const addModel = async (name: string): Promise<Pick<ModelVariant, "model" | "sealed">> => {
    const taken = sealed.get(name);
    if (!taken) return { model: await add(name) };
    files.set(taken.packaged.artifact.digest, taken.packaged);
    return { model: taken.packaged.artifact, sealed: taken.sealed };
  };
  const components: Component[] = [];
  for (const component of spec.components) {
    const { type, name, version } = component;
    if (component.type === "config") {
      components.push({ type: "config", name, version, document: await add(component.document) });
      continue;
    }
    const variants = [];
    for (const { id, precision, requires, model, golden, reference } of component.variants)
      variants.push({
        id,
        precision,
        requires,
        ...(await addModel(model)),
        golden: await add(golden),
        reference: await add(reference),
      });
    const { labels, serving } = component;
    components.push({
      ...{ type: type as "model", name, version, variants },
      ...(labels && { labels }),
      ...(serving && { serving }),
    });
  }
  const manifest = validate(
    ReleaseManifest,
    {
      schema: "muster.release/1",
      name: spec.name,
      version: spec.version,
      sequence,
      ...(spec.description === undefined ? {} : { description: spec.description }),
      components,
      probation: spec.probation,
    },
    "release.manifest-invalid",
  );
  requireSound(manifest);
  const text = canonicalJson(manifest);
  const target = {
    path: releaseTarget(spec.name, spec.version),
    length: Buffer.byteLength(text),
    sha256: hexOf(sha256(text)),
  };
  return { manifest, text, target, files: [...files.values()] };
}
