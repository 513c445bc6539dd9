import { cp, mkdir, readdir, readFile, readlink, rm } from "node:fs/promises";
import { join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import { sha256 } from "@muster/shared/trust/digest";
import { readIfThere, sync, writeAtomically } from "../storage/files.ts";
import { isMissing, pointDurably } from "./durable.ts";

/** File beside the metadata that says from which pinned root the set began. */
const SEED = "seed";
const ROOT = "root.json";

/**
 * TUF metadata on disk as whole sets: `tuf/root.json` is the root pinned at enrollment, `tuf/current` leads to
 * the set in force, `tuf/set-<n>`. tuf-js writes its files in place; it works on a copy, which takes the place of the
 * set in force only when all its files are whole and synced.
 */
export class MetadataDirectory {
  readonly #root: string;
  readonly #current: string;

  constructor(dataDir: string) {
    this.#root = join(dataDir, "tuf");
    this.#current = join(this.#root, "current");
  }

  /** Text of the newest trusted root. @throws MusterError `trust.uninitialized` */
  async rootText(): Promise<string> {
    await this.#seed();
    return readFile(join(this.#current, ROOT), "utf8");
  }

  /**
   * Runs `use` on a copy of the set in force and keeps what it wrote, also when it fails: every file that
   * tuf-js writes was verified before, and a newer root must not be lost because a later step failed.
   */
  async update<T>(use: (directory: string) => Promise<T>): Promise<T> {
    await this.#seed();
    const inForce = await readlink(this.#current);
    const next = `set-${Number(inForce.slice("set-".length)) + 1}`;
    const work = join(this.#root, next);
    await this.#removeOthers(inForce);
    await cp(join(this.#root, inForce), work, { recursive: true });
    try {
      return await use(work);
    } finally {
      if (await this.#isWholeAndNew(join(this.#root, inForce), work)) {
        for (const name of await readdir(work)) await sync(join(work, name));
        await sync(work);
        await pointDurably(this.#current, next);
      }
      await this.#removeOthers(await readlink(this.#current));
    }
  }

  /**
   * A set begins with the pinned root. When the device was enrolled anew the pinned root is another one, and
   * what the old set knows about versions goes along: tuf-js drops what the new root does not vouch for.
   */
  async #seed(): Promise<void> {
    const pinned = await readIfThere(join(this.#root, ROOT));
    if (pinned === undefined)
      throw new MusterError("trust.uninitialized", "This device has no trust root; enroll it.");
    const seed = sha256(pinned);
    const inForce = await this.#linked();
    if (inForce !== undefined && (await readIfThere(join(this.#root, inForce, SEED))) === seed) return;
    const next = `set-${inForce === undefined ? 1 : Number(inForce.slice("set-".length)) + 1}`;
    const work = join(this.#root, next);
    await rm(work, { recursive: true, force: true });
    if (inForce === undefined) await mkdir(work, { recursive: true });
    else await cp(join(this.#root, inForce), work, { recursive: true });
    await writeAtomically(join(work, ROOT), pinned, 0o600);
    await writeAtomically(join(work, SEED), seed, 0o600);
    await sync(work);
    await pointDurably(this.#current, next);
  }

  async #linked(): Promise<string | undefined> {
    try {
      return await readlink(this.#current);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async #isWholeAndNew(before: string, after: string): Promise<boolean> {
    let isNew = false;
    for (const name of await readdir(after)) {
      const text = await readFile(join(after, name), "utf8");
      if (name !== SEED && !isJson(text)) return false;
      if (text !== (await readIfThere(join(before, name)))) isNew = true;
    }
    return isNew;
  }

  async #removeOthers(inForce: string): Promise<void> {
    for (const name of await readdir(this.#root))
      if (name.startsWith("set-") && name !== inForce)
        await rm(join(this.#root, name), { recursive: true, force: true });
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
