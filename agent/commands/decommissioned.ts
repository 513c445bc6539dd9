import type { Dirent } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import { readIfThere, sync, writeAtomically } from "../storage/files.ts";

/** Stands for a box that was taken out of its fleet: while it is there, the agent does not start. */
const MARKER = "decommissioned.json";
/** What the owner of the box wrote, not the agent, and what the agent needs while it runs. */
const KEPT = new Set([MARKER, "box.json", "agent.json", "run"]);
const DATABASE = /^agent\.db/;

/** What was erased. */
export interface Erasure {
  files: number;
  bytes: number;
  /** Paths that could not be erased. */
  left: string[];
}

const markerOf = (dataDir: string): string => join(dataDir, MARKER);

/** From here on there is no way back: what a power cut leaves is erased at the next start. */
export async function markDecommissioned(dataDir: string, command: string, at: number): Promise<void> {
  await writeAtomically(markerOf(dataDir), `${JSON.stringify({ command, at }, null, 2)}\n`, 0o600);
}

/**
 * Ends what a wipe began and refuses to go on.
 * @throws MusterError `agent.decommissioned` where the box was taken out of its fleet
 */
export async function refuseDecommissioned(dataDir: string): Promise<void> {
  if (!(await eraseRest(dataDir))) return;
  throw new MusterError(
    "agent.decommissioned",
    `This box was taken out of its fleet and wiped; ${markerOf(dataDir)} says when. Remove that file to enroll it anew.`,
  );
}

/**
 * Erases the database too, once nobody works on it any more.
 * @returns false, and erases nothing, where the box was not told to wipe itself
 */
export async function eraseRest(dataDir: string): Promise<boolean> {
  if ((await readIfThere(markerOf(dataDir))) === undefined) return false;
  await erase(dataDir, (name) => !KEPT.has(name));
  return true;
}

/** Erases keys, models, results and secrets; the database stays, to tell of it. */
export const eraseFiles = (dataDir: string): Promise<Erasure> =>
  erase(dataDir, (name) => !KEPT.has(name) && !DATABASE.test(name));

async function erase(dataDir: string, isErased: (name: string) => boolean): Promise<Erasure> {
  const done: Erasure = { files: 0, bytes: 0, left: [] };
  for (const entry of await readdir(dataDir, { withFileTypes: true })) {
    if (!isErased(entry.name)) continue;
    const path = join(dataDir, entry.name);
    const [files, bytes] = await weigh(path, entry);
    try {
      await rm(path, { recursive: true, force: true });
      done.files += files;
      done.bytes += bytes;
    } catch {
      done.left.push(path);
    }
  }
  await sync(dataDir);
  return done;
}

/** Files below a path and their bytes. */
async function weigh(path: string, entry: Dirent): Promise<[files: number, bytes: number]> {
  if (!entry.isDirectory()) {
    const found = entry.isFile() ? await stat(path).catch(() => undefined) : undefined;
    return [1, found?.size ?? 0];
  }
  let [files, bytes] = [0, 0];
  for (const inner of await readdir(path, { withFileTypes: true }).catch(() => [])) {
    const [more, size] = await weigh(join(path, inner.name), inner);
    files += more;
    bytes += size;
  }
  return [files, bytes];
}
