import { createHash } from "node:crypto";
import { createReadStream, type ReadStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { MusterError } from "@muster/shared/errors";
import type { Digest } from "@muster/shared/protocol/primitives";
import { syncDirectory } from "../storage/durable-files.ts";
import { asStorageError } from "../storage/errors.ts";

export interface ArtifactStoreSettings {
  /** Largest artifact taken, bytes. */
  maxArtifactBytes: number;
}

const ARTIFACT_STORE_DEFAULTS: ArtifactStoreSettings = { maxArtifactBytes: 4 * 1024 ** 3 };

export interface StoredArtifact {
  digest: Digest;
  /** Bytes. */
  size: number;
  /** False where it was in the store already. */
  created: boolean;
}

const HEX = /^[0-9a-f]{64}$/;

/** Files named by the SHA-256 of their content: what is in the store is whole and never changes. */
export class ArtifactStore {
  readonly #dir: string;
  readonly #incoming: string;
  readonly #settings: ArtifactStoreSettings;
  #uploads = 0;

  /** @param dir the artifacts directory; files lie in `<dir>/sha256/<hex>` */
  constructor(dir: string, settings: ArtifactStoreSettings = ARTIFACT_STORE_DEFAULTS) {
    this.#dir = join(dir, "sha256");
    this.#incoming = join(dir, "incoming");
    this.#settings = settings;
  }

  /** Makes the directories and removes what uploads left that were cut off by a crash. */
  async open(): Promise<void> {
    try {
      await mkdir(this.#dir, { recursive: true });
      await mkdir(this.#incoming, { recursive: true });
      for (const name of await readdir(this.#incoming)) await rm(join(this.#incoming, name));
    } catch (error) {
      throw asStorageError(error, this.#dir);
    }
  }

  /**
   * Stores a stream under its digest: written aside, flushed, checked, then renamed, so that a file in the store
   * is always whole. An artifact that is there already is left as it is and the stream is not read.
   * @param hex 64 hex digits that the content must have
   * @param announced size that the sender tells beforehand, bytes: too large a one is refused unread
   * @throws MusterError `request.invalid`, `artifact.corrupted` (another digest), `artifact.too-large`,
   * `download.interrupted` (the stream broke) or `storage.full`; nothing of the upload is kept then
   */
  async put(hex: string, content: Readable, announced = 0): Promise<StoredArtifact> {
    if (!HEX.test(hex)) throw new MusterError("request.invalid", "An artifact is named by 64 hex digits.");
    const digest: Digest = `sha256:${hex}`;
    const existing = await this.size(hex);
    if (existing !== undefined) {
      content.resume();
      return { digest, size: existing, created: false };
    }
    this.#requireSize(announced);
    this.#uploads += 1;
    const temporary = join(this.#incoming, `${hex}.${process.pid}.${this.#uploads}`);
    try {
      const written = await this.#write(temporary, content);
      if (written.hex !== hex)
        throw new MusterError(
          "artifact.corrupted",
          `The upload has digest sha256:${written.hex} and ${written.size} bytes; sha256:${hex} was announced.`,
        );
      await rename(temporary, join(this.#dir, hex));
      await syncDirectory(this.#dir);
      return { digest, size: written.size, created: true };
    } catch (error) {
      await rm(temporary, { force: true });
      throw asStorageError(error, "The artifact store");
    }
  }

  /** Size in bytes of a stored artifact, undefined where it is not in the store. */
  async size(hex: string): Promise<number | undefined> {
    if (!HEX.test(hex)) return undefined;
    try {
      const found = await stat(join(this.#dir, hex));
      return found.isFile() ? found.size : undefined;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw asStorageError(error, "The artifact store");
    }
  }

  /** Bytes `start` to `end`, both included, of a stored artifact. */
  read(hex: string, range?: { start: number; end: number }): ReadStream {
    return createReadStream(join(this.#dir, hex), range);
  }

  #requireSize(size: number): void {
    const limit = this.#settings.maxArtifactBytes;
    if (size > limit)
      throw new MusterError("artifact.too-large", `An artifact may have ${limit} bytes at most.`);
  }

  async #write(file: string, content: Readable): Promise<{ hex: string; size: number }> {
    const hash = createHash("sha256");
    let size = 0;
    const handle = await open(file, "wx", 0o644);
    try {
      for await (const chunk of brokenAs(content)) {
        size += chunk.byteLength;
        this.#requireSize(size);
        hash.update(chunk);
        await handle.writeFile(chunk);
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    return { hex: hash.digest("hex"), size };
  }
}

/** The chunks of an upload; a connection that breaks is told from a disk that does. */
async function* brokenAs(content: Readable): AsyncGenerator<Uint8Array> {
  try {
    // An upload that is refused half-way stays open, so that its sender can be told why.
    for await (const chunk of content.iterator({ destroyOnReturn: false })) yield chunk as Uint8Array;
  } catch (cause) {
    if (cause instanceof MusterError) throw cause;
    throw new MusterError("download.interrupted", "The upload was cut off; nothing of it was kept.", {
      cause,
    });
  }
}
