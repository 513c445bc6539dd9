import { copyFile, link, mkdir, readdir, readFile, readlink, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import { hexOf } from "@muster/shared/trust/digest";
import { asStorageError } from "../storage/errors.ts";
import { sync } from "../storage/files.ts";
import { digestOfFile, isMissing, moveDurably, pointDurably } from "./durable.ts";
import type { InstalledRelease } from "./installed.ts";
import { filesOf, type ReleaseFile } from "./release-files.ts";
import type { ArtifactStore } from "./store.ts";

const MANIFEST = "manifest.json";

/** The folders `releases/<hex>` that runner and applications read, and the symlink `current` to one of them. */
export class ReleaseDirectories {
  readonly #store: ArtifactStore;
  readonly #releases: string;
  readonly #current: string;

  constructor(dataDir: string, store: ArtifactStore) {
    this.#store = store;
    this.#releases = join(dataDir, "releases");
    this.#current = join(dataDir, "current");
  }

  pathOf(digest: string): string {
    return join(this.#releases, hexOf(digest));
  }

  /**
   * Makes the folder of a release whose artifacts are all in the store. It appears whole or not at all; one
   * that is there already stays, unless a file of it is damaged. `thorough` reads the models too, which the
   * runner does anyway when it loads them.
   * @throws MusterError `config.invalid`, `artifact.corrupted` or `storage.full`
   */
  async materialise(release: InstalledRelease, thorough = false): Promise<void> {
    if (await this.#isWhole(release, thorough)) return;
    const folder = this.pathOf(release.digest);
    const building = `${folder}.new`;
    try {
      await rm(building, { recursive: true, force: true });
      await mkdir(building, { recursive: true });
      const files = filesOf(release);
      const folders = new Set(files.flatMap(({ path }) => foldersOf(path)));
      for (const folder of folders) await mkdir(join(building, folder), { recursive: true });
      for (const file of files) await this.#place(file, join(building, file.path));
      await writeFile(join(building, MANIFEST), release.text, { flush: true });
      for (const folder of folders) await sync(join(building, folder));
      await sync(building);
      await rm(folder, { recursive: true, force: true });
      await moveDurably(building, folder);
    } catch (error) {
      if (isMissing(error))
        throw new MusterError("artifact.corrupted", "An artifact is not in the store.", { cause: error });
      throw asStorageError(error);
    }
  }

  async hasFile(digest: string, { path, artifact }: ReleaseFile): Promise<boolean> {
    const found = await stat(join(this.pathOf(digest), path)).catch(() => undefined);
    return found?.size === artifact.size;
  }

  /** True when every file of the release is in its folder with its size. */
  holds(release: InstalledRelease): Promise<boolean> {
    return this.#isWhole(release, false);
  }

  async #isWhole(release: InstalledRelease, thorough: boolean): Promise<boolean> {
    const folder = this.pathOf(release.digest);
    try {
      for (const { path, artifact, kind } of filesOf(release)) {
        const file = join(folder, path);
        if ((await stat(file)).size !== artifact.size) return false;
        if ((thorough || kind === "config") && (await digestOfFile(file)) !== artifact.digest) return false;
      }
      return (await readFile(join(folder, MANIFEST), "utf8")) === release.text;
    } catch (error) {
      if (isMissing(error)) return false;
      throw asStorageError(error);
    }
  }

  /** Points `current` to a release, or removes it. Repeated on each start: the journal is the truth. */
  async point(digest: string | null): Promise<void> {
    const target = digest === null ? undefined : join("releases", hexOf(digest));
    if ((await this.#pointed()) === target) return;
    if (target === undefined) {
      await rm(this.#current, { force: true });
      await sync(dirname(this.#current));
    } else await pointDurably(this.#current, target);
  }

  /** Manifest of the release that `current` leads to, and its folder, if any. */
  async currentManifest(): Promise<{ text: string; folder: string } | undefined> {
    try {
      const folder = join(dirname(this.#current), await readlink(this.#current));
      return { text: await readFile(join(folder, MANIFEST), "utf8"), folder };
    } catch {
      return undefined;
    }
  }

  /** Removes all folders but those of the releases named. */
  async keepOnly(digests: readonly string[]): Promise<void> {
    await mkdir(this.#releases, { recursive: true });
    const kept = new Set(digests.map(hexOf));
    for (const name of await readdir(this.#releases))
      if (!kept.has(name)) await rm(join(this.#releases, name), { recursive: true, force: true });
  }

  /** Removes the variants of a release that are not needed any more. */
  async prune(release: InstalledRelease): Promise<void> {
    const folder = this.pathOf(release.digest);
    const needed = new Set(filesOf(release).map(({ path }) => dirname(path)));
    for (const variant of await variantFolders(folder))
      if (!needed.has(variant)) await rm(join(folder, variant), { recursive: true, force: true });
  }

  async #pointed(): Promise<string | undefined> {
    try {
      return await readlink(this.#current);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw asStorageError(error);
    }
  }

  /** Documents are copied, since applications may write to them; models are large and get a second name. */
  async #place({ artifact, kind }: ReleaseFile, path: string): Promise<void> {
    const source = this.#store.pathOf(artifact.digest);
    if (kind !== "config") return link(source, path);
    requireJson(await readFile(source, "utf8"), artifact.name);
    await copyFile(source, path);
    await sync(path);
  }
}

/** The folders `models/<name>/<version>/<variant>` of a release; none when it is not there. */
async function variantFolders(folder: string): Promise<string[]> {
  let found = ["models"];
  for (let depth = 0; depth < 3; depth++) {
    const below = found.map(async (path) => {
      const names = await readdir(join(folder, path)).catch((error) => {
        if (isMissing(error)) return [];
        throw asStorageError(error);
      });
      return names.map((name) => join(path, name));
    });
    found = (await Promise.all(below)).flat();
  }
  return found;
}

/** Every folder above a file, the innermost first. */
const foldersOf = (path: string): string[] => {
  const folder = dirname(path);
  return folder === "." ? [] : [folder, ...foldersOf(folder)];
};

function requireJson(text: string, name: string): void {
  try {
    JSON.parse(text);
  } catch (cause) {
    throw new MusterError("config.invalid", `${name} is not a JSON document.`, { cause });
  }
}
