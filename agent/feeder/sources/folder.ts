import { constants } from "node:fs";
import { copyFile, lstat, mkdir, open, opendir, rename, unlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { sync } from "../../storage/files.ts";
import type { FileRule } from "../config.ts";
import type { Watched } from "./file-pattern.ts";

/** Files looked at in one scan; a folder with more is worked off from what the system lists first. */
const MAX_FILES = 100_000;

export interface Found {
  readonly path: string;
  readonly size: number;
  readonly changedAt: bigint;
  /** Names this file with this content: one that is written anew is another. */
  readonly key: string;
}

/** The plain files of a folder that are taken, oldest change first. Links are not followed. */
export async function list({ folder, takes }: Watched): Promise<Found[]> {
  const found: Found[] = [];
  for await (const entry of await opendir(folder)) {
    if (!entry.isFile() || !takes(entry.name)) continue;
    const path = join(folder, entry.name);
    const stat = await lstat(path, { bigint: true }).catch(() => undefined);
    if (!stat?.isFile()) continue;
    const key = `${entry.name}|${stat.size}|${stat.mtimeNs}|${stat.ino}`;
    found.push({ path, size: Number(stat.size), changedAt: stat.mtimeNs, key });
    if (found.length === MAX_FILES) break;
  }
  return found.sort((a, b) =>
    a.changedAt === b.changedAt ? (a.path < b.path ? -1 : 1) : a.changedAt < b.changedAt ? -1 : 1,
  );
}

/** Reads a file that is no link. @returns undefined when it is gone */
export async function readWhole(path: string): Promise<Buffer | undefined> {
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Does with a settled file what its rule says; one that is gone already is fine. @param tag of this very file */
export async function dispose(path: string, rule: FileRule, tag: string): Promise<void> {
  if (rule === "keep") return;
  try {
    if (rule === "delete") await unlink(path);
    else await move(path, rule.move, tag);
  } catch (error) {
    if (await isThere(path)) throw error;
  }
}

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

async function move(path: string, folder: string, tag: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const plain = join(folder, basename(path));
  const target = (await isThere(plain)) ? join(folder, `${tag}-${basename(path)}`) : plain;
  try {
    await rename(path, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    // Another file system: the copy is on disk before the original goes.
    await copyFile(path, target);
    await sync(target);
    await unlink(path);
  }
}
