import { readFile } from "node:fs/promises";
import { MusterError } from "@muster/shared/errors";

/**
 * The first line of a file. What is in it is never told, only where it is.
 * @throws MusterError `settings.invalid`
 */
export async function readSecret(file: string): Promise<string> {
  const text = await readOwned(file);
  const [line = ""] = text.toString("utf8").split(/\r?\n/, 1);
  if (line === "") throw new MusterError("settings.invalid", `${file} has no secret in its first line.`);
  return line;
}

/** @throws MusterError `settings.invalid` */
export async function readOwned(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new MusterError("settings.invalid", `${file} cannot be read.`, { cause });
  }
}
