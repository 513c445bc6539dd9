import { createHash } from "node:crypto";
import { type FileHandle, open, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Digest } from "@muster/shared/protocol/primitives";
import type { Sealed } from "@muster/shared/protocol/release";
import type { ReleaseSpec } from "@muster/shared/protocol/release-spec";
import { KEY_BYTES } from "@muster/shared/trust/sealed/header";
import { Sealer } from "@muster/shared/trust/sealed/sealer";
import { asStorageError } from "../storage/errors.ts";
import { hashFile, type PackagedFile } from "./release-file.ts";

/** A model file sealed with a key of its own. */
interface SealedModel {
  packaged: PackagedFile;
  sealed: Sealed;
  /** The key, 32 bytes. */
  secret: Buffer;
}

/** By the name that the spec has for the file. */
export type SealedModels = ReadonlyMap<string, SealedModel>;

/**
 * Seals every model file that a spec names, each once and with a key of its own.
 * @param into directory for the sealed files, of the caller to remove
 * @throws MusterError `release.manifest-invalid` that names a file which is missing, empty or outside, `storage.full`
 */
export async function sealModels(
  specFile: string,
  spec: ReleaseSpec,
  into: string,
  random: (bytes: number) => Buffer,
): Promise<SealedModels> {
  const dir = await realpath(dirname(specFile));
  const models = new Map<string, SealedModel>();
  for (const component of spec.components)
    if (component.type === "model")
      for (const { model } of component.variants)
        if (!models.has(model))
          models.set(
            model,
            await sealFile(await hashFile(dir, model), join(into, `${models.size}.sealed`), random),
          );
  return models;
}

async function sealFile(
  { file, artifact }: PackagedFile,
  target: string,
  random: (bytes: number) => Buffer,
): Promise<SealedModel> {
  const { digest, size, name } = artifact;
  const secret = random(KEY_BYTES);
  const key = random(16).toString("hex");
  const sealer = new Sealer({ key, salt: random(32).toString("hex"), digest, size }, secret);
  const source = await open(file, "r");
  try {
    const sealed = await write(source, target, sealer);
    // No more characters than the name of an artifact may have.
    const called = `${name.slice(0, 120)}.sealed`;
    return {
      packaged: { file: target, artifact: { name: called, ...sealed } },
      sealed: { key, digest, size },
      secret,
    };
  } catch (error) {
    throw asStorageError(error);
  } finally {
    sealer.wipe();
    await source.close();
  }
}

async function write(
  source: FileHandle,
  target: string,
  sealer: Sealer,
): Promise<{ digest: Digest; size: number }> {
  const hash = createHash("sha256");
  let size = 0;
  const out = await open(target, "wx", 0o600);
  try {
    const put = async (bytes: Buffer): Promise<void> => {
      hash.update(bytes);
      size += bytes.length;
      await out.writeFile(bytes);
    };
    await put(sealer.head);
    while (sealer.nextBytes > 0) {
      const chunk = Buffer.alloc(sealer.nextBytes);
      await readWhole(source, chunk);
      await put(sealer.seal(chunk));
      chunk.fill(0);
    }
  } finally {
    await out.close();
  }
  return { digest: `sha256:${hash.digest("hex")}`, size };
}

async function readWhole(source: FileHandle, into: Buffer): Promise<void> {
  let at = 0;
  while (at < into.length) {
    const { bytesRead } = await source.read(into, at, into.length - at);
    // It became shorter meanwhile: the digest in the header says so to whoever opens it.
    if (bytesRead === 0) return;
    at += bytesRead;
  }
}
