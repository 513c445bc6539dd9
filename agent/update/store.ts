import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Artifact } from "@muster/shared/protocol/release";
import { hexOf } from "@muster/shared/trust/digest";
import { digestOfFile, isMissing, moveDurably } from "./durable.ts";

const sizeOf = async (path: string): Promise<number> => {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
};

/** Content-addressed files below the data directory: whole ones, and partial ones that a download continues. */
export class ArtifactStore {
  readonly root: string;
  readonly #whole: string;
  readonly #partial: string;

  constructor(dataDir: string) {
    this.root = join(dataDir, "store");
    this.#whole = join(this.root, "sha256");
    this.#partial = join(this.root, "partial");
  }

  async create(): Promise<void> {
    await mkdir(this.#whole, { recursive: true });
    await mkdir(this.#partial, { recursive: true });
  }

  pathOf(digest: string): string {
    return join(this.#whole, hexOf(digest));
  }

  partialPathOf(digest: string): string {
    return join(this.#partial, hexOf(digest));
  }

  /** Bytes of the artifact that are still to be fetched. */
  async missingBytes(artifact: Artifact): Promise<number> {
    if ((await sizeOf(this.pathOf(artifact.digest))) === artifact.size) return 0;
    return Math.max(0, artifact.size - (await sizeOf(this.partialPathOf(artifact.digest))));
  }

  /** True when the artifact is there and has its digest; a damaged one is removed. */
  async hasWhole(artifact: Artifact): Promise<boolean> {
    const path = this.pathOf(artifact.digest);
    const size = await sizeOf(path);
    if (size === artifact.size && (await digestOfFile(path)) === artifact.digest) return true;
    await rm(path, { force: true });
    return false;
  }

  /** Takes over a partial file whose content was verified and synced. */
  async admit(digest: string): Promise<void> {
    await moveDurably(this.partialPathOf(digest), this.pathOf(digest));
  }

  /** Removes everything that is not needed. Safe to repeat. @returns how many files went */
  async collect(needed: ReadonlySet<string>): Promise<number> {
    let removed = 0;
    const names = new Set([...needed].map(hexOf));
    for (const directory of [this.#whole, this.#partial])
      for (const name of await readdir(directory))
        if (!names.has(name)) {
          await rm(join(directory, name), { force: true, recursive: true });
          removed += 1;
        }
    return removed;
  }
}
