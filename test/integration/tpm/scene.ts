import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type OpenTpmOptions, openTpm, type Tpm } from "@muster/agent/tpm/tpm";
import { type ErrorCode, isMusterError } from "@muster/shared/errors";
import type { Swtpm } from "../../support/swtpm/swtpm.ts";

/** Opens the TPM, does something with it and closes it, so that tpm2-tools may have it next. */
export async function using<T>(
  setting: string,
  work: (tpm: Tpm) => Promise<T>,
  options?: OpenTpmOptions,
): Promise<T> {
  const tpm = await openTpm(setting, options);
  assert.ok(tpm);
  try {
    return await work(tpm);
  } finally {
    await tpm.close();
  }
}

export const fileOf = (swtpm: Swtpm, name: string): Promise<Buffer> => readFile(join(swtpm.directory, name));
export const write = (swtpm: Swtpm, name: string, bytes: Uint8Array): Promise<void> =>
  writeFile(join(swtpm.directory, name), bytes);

/** Handles that a TPM has in use, as tpm2_getcap prints them. */
export async function handlesIn(
  swtpm: Swtpm,
  kind: "transient" | "loaded-session" | "saved-session" | "persistent",
): Promise<number[]> {
  const printed = await swtpm.tool("getcap", `handles-${kind}`);
  return [...printed.matchAll(/0x[0-9A-F]+/gi)].map(([handle]) => Number(handle));
}

export const refused = (work: Promise<unknown>, code: ErrorCode, words = /./): Promise<void> =>
  assert.rejects(work, (error) => isMusterError(error, code) && words.test(error.message));
