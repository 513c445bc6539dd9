import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { asStorageError } from "../storage/errors.ts";
import { byHardness, parseSpoolName, type SpoolName, spoolName } from "./spool-name.ts";

/** Most examples in the spool, however small. */
const MOST_FILES = 10_000;
/** A part of a file that is older was left by somebody who is gone, milliseconds. */
const ABANDONED_MS = 600_000;

/**
 * Hard examples that wait to be sent, one file each. Several runners may write while the agent sends: each look at the
 * directory is a fresh one. When there is no room the least hard go first, of equals the oldest; one that is less hard
 * than all that is there is not taken.
 */
export class Spool {
  readonly #directory: string;
  readonly #maxBytes: number;
  #parts = 0;

  constructor(directory: string, maxBytes: number) {
    this.#directory = directory;
    this.#maxBytes = maxBytes;
  }

  /**
   * Keeps an example: whole or not at all, also when the power is cut.
   * @returns false when it is less hard than what fills the spool
   * @throws MusterError `storage.full`
   */
  async put(confidence: number, at: number, bytes: Uint8Array): Promise<boolean> {
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      const name = spoolName(confidence, at, bytes);
      const outgoing = roomFor(name, await this.list(), this.#maxBytes);
      if (!outgoing) return false;
      for (const { file } of outgoing) await rm(join(this.#directory, file), { force: true });
      await this.#write(name.file, bytes);
      return true;
    } catch (error) {
      throw asStorageError(error);
    }
  }

  /** The hardest first. */
  async list(): Promise<SpoolName[]> {
    const files = await readdir(this.#directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    });
    return files.flatMap((file) => parseSpoolName(file) ?? []).sort(byHardness);
  }

  /** Undefined when it has gone meanwhile. */
  async read({ file }: SpoolName): Promise<Uint8Array | undefined> {
    return await readFile(join(this.#directory, file)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw asStorageError(error);
    });
  }

  async remove({ file }: SpoolName): Promise<void> {
    await rm(join(this.#directory, file), { force: true });
  }

  /** Deletes what a cut left half written. */
  async tidy(now: number): Promise<void> {
    for (const file of await readdir(this.#directory).catch(() => [])) {
      if (!file.endsWith(".part")) continue;
      const path = join(this.#directory, file);
      const found = await stat(path).catch(() => undefined);
      if (found && now - found.mtimeMs > ABANDONED_MS) await rm(path, { force: true });
    }
  }

  /** Deletes everything: the box does not allow it any more. */
  async clear(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #write(file: string, bytes: Uint8Array): Promise<void> {
    this.#parts += 1;
    const part = join(this.#directory, `${process.pid}-${this.#parts}.part`);
    try {
      const handle = await open(part, "w", 0o600);
      try {
        await handle.writeFile(bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(part, join(this.#directory, file));
    } catch (error) {
      await rm(part, { force: true });
      throw error;
    }
  }
}

/** What has to go so that one more fits; undefined when that is none of those there but the new one. */
export function roomFor(
  next: SpoolName,
  kept: readonly SpoolName[],
  maxBytes: number,
): SpoolName[] | undefined {
  const outgoing: SpoolName[] = [];
  let bytes = kept.reduce((sum, { size }) => sum + size, 0) + next.size;
  let files = kept.length + 1;
  for (const last of [...kept].sort(byHardness).reverse()) {
    if (bytes <= maxBytes && files <= MOST_FILES) break;
    if (byHardness(last, next) <= 0) return undefined;
    outgoing.push(last);
    bytes -= last.size;
    files -= 1;
  }
  return bytes <= maxBytes ? outgoing : undefined;
}
