import { open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { MusterError } from "@muster/shared/errors";
import { type SigningKey, signingKeyFrom } from "@muster/shared/trust/ed25519";
import { syncDirectory } from "../storage/durable-files.ts";

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/**
 * The Ed25519 key of a key file (its seed in hex), or undefined where there is no file.
 * @throws MusterError `trust.key-missing` for a file that cannot be read or is no key
 */
export async function readKeyFile(file: string): Promise<SigningKey | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw new MusterError("trust.key-missing", `${file} cannot be read.`, { cause });
  }
  const seed = text.trim();
  if (!/^[0-9a-f]{64}$/.test(seed))
    throw new MusterError("trust.key-missing", `${file} does not hold a key: 64 hex digits are expected.`);
  return signingKeyFrom(Buffer.from(seed, "hex"));
}

/**
 * Writes a new key file with mode 0600, flushed to disk; an existing file is never replaced.
 * @throws MusterError `request.conflict` where the file exists, `storage.full`
 */
export async function createKeyFile(file: string, seed: Uint8Array): Promise<SigningKey> {
  await writeNewFile(file, `${Buffer.from(seed).toString("hex")}\n`);
  return signingKeyFrom(seed);
}

async function writeNewFile(file: string, text: string): Promise<void> {
  try {
    const handle = await open(file, "wx", 0o600);
    try {
      await handle.chmod(0o600);
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await syncDirectory(dirname(file));
  } catch (cause) {
    if (codeOf(cause) === "EEXIST")
      throw new MusterError("request.conflict", `${file} exists already and is not replaced.`, { cause });
    if (codeOf(cause) === "ENOSPC" || codeOf(cause) === "EDQUOT")
      throw new MusterError("storage.full", `${file} cannot be written: the disk is full.`, { cause });
    throw new MusterError("settings.invalid", `${file} cannot be written.`, { cause });
  }
}
