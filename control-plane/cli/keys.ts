import { resolve } from "node:path";
import { MusterError } from "@muster/shared/errors";
import { rootPinOf } from "@muster/shared/trust/join-token";
import { parseRoot } from "@muster/shared/trust/tuf";
import { loadKeys, type OfflineKeys } from "../trust/offline-keys.ts";
import type { Cli } from "./cli.ts";
import { keysDirectory, rememberKeys } from "./context.ts";

export const KEYS_OPTION = ["--keys <dir>", "directory of the offline keys; remembered"] as const;

/** Directory of the offline keys, by option, environment or memory. @throws MusterError `trust.key-missing` */
async function requireKeys(cli: Cli, option: unknown): Promise<string> {
  const dir = await keysDirectory(cli.terminal.env, typeof option === "string" ? option : undefined);
  if (dir === undefined)
    throw new MusterError("trust.key-missing", "No key directory is known: name it with --keys DIR.");
  return resolve(dir);
}

/** The offline keys; their directory is remembered once they could be read. @throws MusterError `trust.key-missing` */
export async function openKeys(cli: Cli, option: unknown): Promise<{ dir: string; keys: OfflineKeys }> {
  const dir = await requireKeys(cli, option);
  const keys = await loadKeys(dir);
  await rememberKeys(cli.terminal.env, dir);
  return { dir, keys };
}

/** What a join token pins of a root. @throws MusterError `trust.metadata-invalid` */
export const rootPin = (root: string): string => rootPinOf(parseRoot(root).signed.toJSON());
