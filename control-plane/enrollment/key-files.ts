import { generateKeyPair } from "node:crypto";
import { open, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { asStorageError } from "../storage/errors.ts";

const generate = promisify(generateKeyPair);

/** A new RSA private key, PKCS#8 PEM. */
export async function generateKey(bits: number): Promise<string> {
  const { privateKey } = await generate("rsa", { modulusLength: bits });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/**
 * Writes the whole file or leaves the old one: under another name, synced, renamed, directory synced.
 * @throws MusterError `storage.full`
 */
export async function writeDurably(file: string, text: string, mode: number): Promise<void> {
  try {
    const part = await open(`${file}.part`, "w", mode);
    try {
      await part.chmod(mode);
      await part.writeFile(text);
      await part.sync();
    } finally {
      await part.close();
    }
    await rename(`${file}.part`, file);
    const directory = await open(dirname(file), "r");
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  } catch (error) {
    throw asStorageError(error, file);
  }
}
