import { open, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { asStorageError } from "./errors.ts";

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
    await syncDirectory(dirname(file));
  } catch (error) {
    throw asStorageError(error, file);
  }
}

/** Makes a rename or new name in the directory last through a power cut. */
export async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
