import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { basename, isAbsolute, join, relative } from "node:path";
import { MusterError } from "@muster/shared/errors";
import type { Digest } from "@muster/shared/protocol/primitives";
import type { Artifact } from "@muster/shared/protocol/release";

/** A file to upload. */
export interface PackagedFile {
  file: string;
  artifact: Artifact;
}

/**
 * The file of this name in a directory or below, hashed.
 * @throws MusterError `release.manifest-invalid` for one that is missing, empty or outside
 */
export async function hashFile(dir: string, name: string): Promise<PackagedFile> {
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
