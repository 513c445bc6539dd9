import { randomBytes } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import type { SigningKey } from "@muster/shared/trust/ed25519";
import { syncDirectory } from "../storage/durable-files.ts";
import { createKeyFile, readKeyFile } from "./key-file.ts";

/** Keys that sign root and targets. They stay with the operator and never reach a server. */
export interface OfflineKeys {
  readonly root: SigningKey;
  readonly targets: SigningKey;
}

const ROLES = ["root", "targets"] as const;
const fileOf = (dir: string, role: (typeof ROLES)[number]): string => join(dir, `${role}.key`);

/**
 * Makes `root.key` and `targets.key` (mode 0600) in `dir`, which is created (0700) where missing.
 * @throws MusterError `request.conflict` where either exists: a lost root key cannot be made again
 */
export async function initKeys(dir: string): Promise<OfflineKeys> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  for (const role of ROLES)
    if (await readKeyFile(fileOf(dir, role)))
      throw new MusterError("request.conflict", `${fileOf(dir, role)} exists already and is not replaced.`);
  return {
    root: await createKeyFile(fileOf(dir, "root"), randomBytes(32)),
    targets: await createKeyFile(fileOf(dir, "targets"), randomBytes(32)),
  };
}

/** @throws MusterError `trust.key-missing` */
export async function loadKeys(dir: string): Promise<OfflineKeys> {
  const load = async (role: (typeof ROLES)[number]): Promise<SigningKey> => {
    const key = await readKeyFile(fileOf(dir, role));
    if (!key) throw new MusterError("trust.key-missing", `There is no ${fileOf(dir, role)}.`);
    return key;
  };
  return { root: await load("root"), targets: await load("targets") };
}

/** Keeps a copy of the newest root beside the keys: join tokens pin it. */
export async function saveRoot(dir: string, root: string): Promise<void> {
  const file = join(dir, "root.json");
  await writeFile(`${file}.new`, root, { mode: 0o644, flush: true });
  await rename(`${file}.new`, file);
  await syncDirectory(dir);
}

/** The root that `saveRoot` kept, or null. */
export async function readRoot(dir: string): Promise<string | null> {
  try {
    return await readFile(join(dir, "root.json"), "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new MusterError("trust.key-missing", `${join(dir, "root.json")} cannot be read.`, { cause });
  }
}
