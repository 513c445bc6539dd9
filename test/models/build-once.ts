import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MusterError } from "@muster/shared/errors";

const KEY_FILE = "generator.key";
const POLL_MS = 100;

/**
 * Makes sure that `directory` holds what `build` makes for `key`. The result appears in one step, by a rename,
 * so that no reader sees half of it; while another living process builds it, this one waits.
 * @throws MusterError `request.conflict` when the directory is in use for something else
 */
export async function buildOnce(
  directory: string,
  key: string,
  build: (folder: string) => Promise<void>,
): Promise<void> {
  const target = resolve(directory);
  await mkdir(dirname(target), { recursive: true });
  if (await isBuilt(target, key)) return;
  const lock = `${target}.lock`;
  while (!(await takeLock(lock))) await sleep(POLL_MS);
  try {
    if (await isBuilt(target, key)) return;
    const folder = await mkdtemp(join(dirname(target), `.${basename(target)}-`));
    try {
      await build(folder);
      await writeFile(join(folder, KEY_FILE), key);
      await rename(folder, target);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  } finally {
    await rm(lock, { force: true });
  }
}

async function isBuilt(target: string, key: string): Promise<boolean> {
  const entries = await readdir(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw new MusterError("request.conflict", `${target} cannot be used: ${error.message}`, { cause: error });
  });
  if (entries.length === 0) return false;
  const found = await readFile(join(target, KEY_FILE), "utf8").catch(() => "");
  if (found === key) return true;
  throw new MusterError(
    "request.conflict",
    `${target} already holds ${found === "" ? "other files" : "models of another generator"}; name another directory.`,
  );
}

/** Takes the lock file, or breaks that of a process that is gone. False while a living one holds it. */
async function takeLock(lock: string): Promise<boolean> {
  try {
    await writeFile(lock, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const holder = Number(await readFile(lock, "utf8").catch(() => ""));
  const age = Date.now() - (await stat(lock).catch(() => ({ mtimeMs: Date.now() }))).mtimeMs;
  const gone = holder > 0 ? !isAlive(holder) : age > 10 * POLL_MS;
  if (gone) await rm(lock, { force: true });
  return false;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
