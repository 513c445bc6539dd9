import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import { hexOf } from "@muster/shared/trust/digest";
import { syncDirectory } from "../storage/durable-files.ts";
import { asStorageError } from "../storage/errors.ts";

/** Parts that nobody went on with, milliseconds. */
const ABANDONED_MS = 24 * 3_600_000;

/** What a device has begun to send. */
interface Part {
  readonly digest: string;
  readonly bytes: number;
  /** When the last of it came, milliseconds since the epoch. */
  readonly at: number;
}

/** Examples by digest, whole and unchanging, and of each device the one that it has begun to send. */
export class ExampleFiles {
  readonly #dir: string;
  readonly #incoming: string;
  readonly #parts = new Map<string, Part>();
  #partBytes = 0;

  constructor(dir: string) {
    this.#dir = join(dir, "sha256");
    this.#incoming = join(dir, "incoming");
  }

  /** Forgets parts of an earlier run: nobody knows which of their bytes reached the disk. */
  async open(): Promise<void> {
    try {
      await mkdir(this.#dir, { recursive: true, mode: 0o700 });
      await rm(this.#incoming, { recursive: true, force: true });
      await mkdir(this.#incoming, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw asStorageError(error, this.#dir);
    }
  }

  /** Bytes received of an example that a device has begun to send. */
  received(device: string, digest: string): number {
    const part = this.#parts.get(device);
    return part?.digest === digest ? part.bytes : 0;
  }

  /** Bytes of all that other devices have begun to send. */
  receivedOfOthers(device: string): number {
    return this.#partBytes - (this.#parts.get(device)?.bytes ?? 0);
  }

  /** Forgets what a device began to send and did not end, but for one example. */
  async dropOthers(device: string, digest: string): Promise<void> {
    const part = this.#parts.get(device);
    if (part && part.digest !== digest) await this.dropPart(device, part.digest);
  }

  /** @throws MusterError `storage.full`; then the part is gone */
  async append(device: string, digest: string, bytes: Uint8Array, now: number): Promise<void> {
    try {
      const handle = await open(this.#part(device, digest), "a", 0o600);
      try {
        await handle.writeFile(bytes);
      } finally {
        await handle.close();
      }
    } catch (error) {
      await this.dropPart(device, digest);
      throw asStorageError(error, "The examples");
    }
    this.#note(device, { digest, bytes: this.received(device, digest) + bytes.byteLength, at: now });
  }

  async readPart(device: string, digest: string): Promise<Uint8Array> {
    return await readFile(this.#part(device, digest));
  }

  async dropPart(device: string, digest: string): Promise<void> {
    this.#note(device, undefined);
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
      this.#note(device, undefined);
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

  /** Devices that left what they had begun alone for a day. */
  abandoned(now: number): { device: string; digest: string }[] {
    return [...this.#parts].flatMap(([device, { digest, at }]) =>
      now - at > ABANDONED_MS ? [{ device, digest }] : [],
    );
  }

  #note(device: string, part: Part | undefined): void {
    this.#partBytes += (part?.bytes ?? 0) - (this.#parts.get(device)?.bytes ?? 0);
    if (part) this.#parts.set(device, part);
    else this.#parts.delete(device);
  }

  #part(device: string, digest: string): string {
    return join(this.#incoming, `${device}.${hexOf(digest)}`);
  }

  #file(digest: string): string {
    const hex = hexOf(digest);
    return join(this.#dir, hex.slice(0, 2), hex);
  }
}
