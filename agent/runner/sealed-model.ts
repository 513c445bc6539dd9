import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { MusterError } from "@muster/shared/errors";
import { headerBytesIn, PREFIX_BYTES } from "@muster/shared/trust/sealed/header";
import { Opener } from "@muster/shared/trust/sealed/opener";

/** What a sealed file is and what has to open out of it, as signed. */
export interface SealedFile {
  readonly path: string;
  /** Digest of the sealed file, `sha256:<hex>`. */
  readonly digest: string;
  readonly sealed: { readonly key: string; readonly digest: string; readonly size: number };
}

/**
 * Opens a sealed file into memory; the disk never sees what is in it. The caller wipes what comes back.
 * @param secret the 32 bytes of its key
 * @throws MusterError `artifact.corrupted` for another file than was signed, `key.sealed-invalid` and `key.wrong` for
 * one that was signed and does not open into what was signed
 */
export async function openSealedModel(
  { path, digest, sealed }: SealedFile,
  secret: Uint8Array,
): Promise<Buffer> {
  const file = await open(path, "r");
  const hash = createHash("sha256");
  const plain = Buffer.alloc(sealed.size);
  let failure: unknown;
  let opener: Opener | undefined;
  try {
    opener = await openChunks(file, { hash, plain, sealed, secret });
  } catch (error) {
    failure = error;
  }
  try {
    // Damage of the disk is told from a release that was made wrong, and is mended by another download.
    await hashRest(file, hash);
    const found = `sha256:${hash.digest("hex")}`;
    if (found !== digest)
      throw new MusterError(
        "artifact.corrupted",
        `The sealed file has digest ${found}; signed is ${digest}.`,
      );
    if (failure !== undefined) throw failure;
    return plain;
  } catch (error) {
    plain.fill(0);
    throw error;
  } finally {
    opener?.wipe();
    await file.close();
  }
}

interface Opening {
  hash: ReturnType<typeof createHash>;
  plain: Buffer;
  sealed: SealedFile["sealed"];
  secret: Uint8Array;
}

async function openChunks(file: FileHandle, { hash, plain, sealed, secret }: Opening): Promise<Opener> {
  const take = async (bytes: number): Promise<Buffer> => {
    const taken = await readUpTo(file, bytes);
    hash.update(taken);
    return taken;
  };
  const prefix = await take(PREFIX_BYTES);
  const opener = new Opener(Buffer.concat([prefix, await take(headerBytesIn(prefix))]), secret);
  const { header } = opener;
  if (header.key !== sealed.key || header.size !== sealed.size || header.digest !== sealed.digest)
    throw new MusterError("key.sealed-invalid", "The sealed file is another one than the release names.");
  const digest = createHash("sha256");
  let at = 0;
  while (opener.nextBytes > 0) {
    const chunk = opener.open(await take(opener.nextBytes));
    digest.update(chunk);
    at += chunk.copy(plain, at);
    chunk.fill(0);
  }
  if (`sha256:${digest.digest("hex")}` !== sealed.digest)
    throw new MusterError("key.sealed-invalid", "What was sealed is not the model that the release names.");
  return opener;
}

const REST_BYTES = 1024 * 1024;

async function hashRest(file: FileHandle, hash: Opening["hash"]): Promise<void> {
  for (;;) {
    const rest = await readUpTo(file, REST_BYTES);
    if (rest.length === 0) return;
    hash.update(rest);
  }
}

/** Fewer bytes at the end of the file. */
async function readUpTo(file: FileHandle, bytes: number): Promise<Buffer> {
  const into = Buffer.alloc(bytes);
  let at = 0;
  while (at < bytes) {
    const { bytesRead } = await file.read(into, at, bytes - at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return into.subarray(0, at);
}
