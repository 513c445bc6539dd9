import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative } from "node:path";
import { asMusterError, MusterError } from "@muster/shared/errors";
import type { Digest } from "@muster/shared/protocol/primitives";
import {
  type Artifact,
  type Component,
  ReleaseManifest,
  releaseTarget,
} from "@muster/shared/protocol/release";
import { ReleaseSpec } from "@muster/shared/protocol/release-spec";
import { parseJson, validate } from "@muster/shared/protocol/validate";
import { canonicalJson } from "@muster/shared/trust/canonical-json";
import { hexOf, sha256 } from "@muster/shared/trust/digest";
import type { TargetEntry } from "@muster/shared/trust/tuf";
import { requireSound } from "./manifest-rules.ts";

/** A file to upload. */
export interface PackagedFile {
  file: string;
  artifact: Artifact;
}

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
 * @throws MusterError `release.manifest-invalid` that names the file which is missing, empty or outside
 */
export async function packageRelease(
  specFile: string,
  spec: ReleaseSpec,
  sequence: number,
): Promise<PackagedRelease> {
  const dir = await realpath(dirname(specFile));
  const files = new Map<string, PackagedFile>();
  const add = async (name: string): Promise<Artifact> => {
    const packaged = await hashFile(dir, name);
    files.set(packaged.artifact.digest, packaged);
    return packaged.artifact;
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
        model: await add(model),
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

async function hashFile(dir: string, name: string): Promise<PackagedFile> {
  const invalid = (why: string, cause?: unknown) =>
    new MusterError("release.manifest-invalid", `The file ${name} of the release ${why}.`, { cause });
  let file: string;
  try {
    file = await realpath(join(dir, name));
  } catch (cause) {
    throw invalid("does not exist", cause);
  }
  const inside = relative(dir, file);
  if (inside.startsWith("..") || isAbsolute(inside)) throw invalid("lies outside its directory");
  if (!(await stat(file)).isFile()) throw invalid("is not a file");
  const hash = createHash("sha256");
  let size = 0;
  try {
    for await (const chunk of createReadStream(file)) {
      hash.update(chunk as Buffer);
      size += (chunk as Buffer).byteLength;
    }
  } catch (cause) {
    throw invalid("cannot be read", cause);
  }
  if (size === 0) throw invalid("is empty");
  const digest: Digest = `sha256:${hash.digest("hex")}`;
  return { file, artifact: { name: basename(name), digest, size } };
}
