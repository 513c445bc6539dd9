import { constants } from "node:fs";
import { access, chmod, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { MusterError } from "@muster/shared/errors";
import { asStorageError } from "./errors.ts";

/**
 * Replaces a file so that a power cut leaves the old content or the new: written beside it, synced, renamed,
 * and the directory synced.
 * @throws MusterError `storage.full`
 */
export async function writeAtomically(
  file: string,
  content: string | Uint8Array,
  mode: number,
): Promise<void> {
  const beside = `${file}.new`;
  try {
    await rm(beside, { force: true });
    const handle = await open(beside, "wx", mode);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(beside, file);
    await sync(dirname(file));
  } catch (error) {
    throw asStorageError(error);
  }
}

/** Makes the content of a file, or the names in a directory, outlive a power cut. */
export async function sync(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Content of a text file, or undefined when there is none. */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new MusterError("settings.invalid", `${file} cannot be read.`, { cause: error });
  }
}

/**
 * A directory that the agent can work in. A new one is open to its owner only; the mode of an old one is the
 * operator's choice, who may let applications in.
 * @throws MusterError `settings.invalid` when it cannot be used
 */
export async function ownDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new MusterError("settings.invalid", `The directory ${directory} cannot be used.`, { cause });
  }
}

/**
 * A directory that only its owner may enter: made when missing, its mode mended when too open.
 * @throws MusterError `settings.invalid` when it belongs to somebody else or cannot be used
 */
export async function privateDirectory(directory: string): Promise<void> {
  await ownDirectory(directory);
  await requirePrivate(directory, 0o700);
}

/** Takes rights of group and others away from a file or directory of ours. */
export async function requirePrivate(path: string, mode: number): Promise<void> {
  const found = await stat(path);
  if ((found.mode & 0o077) === 0) return;
  if (process.getuid && found.uid !== process.getuid())
    throw new MusterError(
      "settings.invalid",
      `${path} can be read by others and belongs to user ${found.uid}: give it to the user of the agent and take the rights of others away.`,
    );
  await chmod(path, mode);
}
