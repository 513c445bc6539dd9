import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { SigningKey } from "@muster/shared/trust/ed25519";
import { createKeyFile, readKeyFile } from "./key-file.ts";

/** Keys that the control plane itself holds: it may refresh metadata and select among signed releases. */
export interface OnlineKeys {
  readonly snapshot: SigningKey;
  readonly timestamp: SigningKey;
  readonly directive: SigningKey;
}

/**
 * Opens the online keys in `dir` (`<role>.key`, mode 0600) and makes those that do not exist yet.
 * @throws MusterError `trust.key-missing` for a key file that cannot be read or is not a key
 */
export async function openOnlineKeys(dir: string): Promise<OnlineKeys> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const open = async (role: string): Promise<SigningKey> => {
    const file = join(dir, `${role}.key`);
    return (await readKeyFile(file)) ?? (await createKeyFile(file, randomBytes(32)));
  };
  return {
    snapshot: await open("snapshot"),
    timestamp: await open("timestamp"),
    directive: await open("directive"),
  };
}
