import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import { hexOf } from "@muster/shared/trust/digest";
import { syncDirectory } from "../storage/durable-files.ts";
import { asStorageError } from "../storage/errors.ts";

/** Parts that nobody went on with, milliseconds. */
const ABANDONED_MS = 24 * 3_600_000;

/** Examples by digest, whole and unchanging, and the parts that devices have begun to send. */
export class ExampleFiles {
  readonly #dir: string;
  readonly #incoming: string;

  constructor(dir: string) {
    this.#dir = join(dir, "sha256");
    this.#incoming = join(dir, "incoming");
  }

  async open(): Promise<void> {
    try {
      await mkdir(this.#dir, { recursive: true, mode: 0o700 });
      await mkdir(this.#incoming, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw asStorageError(error, this.#dir);
    }
  }

  /** Bytes received of an example that a device has begun to send. */
  async received(device: string, digest: string): Promise<number> {
    const found = await stat(this.#part(device, digest)).catch(() => undefined);
    return found?.size ?? 0;
  }

  /** Forgets what a device began to send and did not end, but for one example. */
  async dropOthers(device: string, digest: string): Promise<void> {
    for (const name of await readdir(this.#incoming))
      if (name.startsWith(`${device}.`) && !name.endsWith(hexOf(digest)))
        await rm(join(this.#incoming, name), { force: true });
  }

  /** @throws MusterError `storage.full` */
  async append(device: string, digest: string, bytes: Uint8Array): Promise<void> {
    try {
      const handle = await open(this.#part(device, digest), "a", 0o600);
      try {
        await handle.writeFile(bytes);
      } finally {
        await handle.close();
      }
    } catch (error) {
      throw asStorageError(error, "The examples");
    }
  }

  async readPart(device: string, digest: string): Promise<Uint8Array> {
    return await readFile(this.#part(device, digest));
  }

  async dropPart(device: string, digest: string): Promise<void> {
    await rm(this.#part(device, digest), { force: true });
  }

  /** A part that is whole and checked becomes the example. @throws MusterError `storage.full` */
  async keep(device: string, digest: string): Promise<void> {
    const part = this.#part(device, digest);
    const file = this.#file(digest);
    try {
      const handle = await open(part, "r+");
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
      await mkdir(dirname(file), { recursive: true, mode: 0o700 });
      await rename(part, file);
      await syncDirectory(dirname(file));
    } catch (error) {
      throw asStorageError(error, "The examples");
    }
  }

  /** @throws MusterError `request.not-found` */
  async read(digest: string): Promise<Uint8Array> {
    try {
      return await readFile(this.#file(digest));
    } catch (cause) {
      throw new MusterError("request.not-found", `There is no file of example ${digest}.`, { cause });
    }
  }

  async remove(digest: string): Promise<void> {
    await rm(this.#file(digest), { force: true });
  }

  /** Deletes parts that were left alone for a day. */
  async tidy(now: number): Promise<void> {
    for (const name of await readdir(this.#incoming)) {
      const path = join(this.#incoming, name);
      const found = await stat(path).catch(() => undefined);
      if (found && now - found.mtimeMs > ABANDONED_MS) await rm(path, { force: true });
    }
  }

  #part(device: string, digest: string): string {
    return join(this.#incoming, `${device}.${hexOf(digest)}`);
  }

  #file(digest: string): string {
    const hex = hexOf(digest);
    return join(this.#dir, hex.slice(0, 2), hex);
  }
}
