import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { isMusterError, type MusterError } from "@muster/shared/errors";
import { writeAtomically } from "../storage/files.ts";
import { type BoxFile, loadBoxFile, readBoxFile } from "./box-file.ts";

/** What the owner of the box said the last time that it could be used. */
const KEPT = "box.last-good.json";

export interface KeptBoxFile {
  readonly file: BoxFile;
  /** Why the file as it is cannot be used; what it said before goes on. */
  readonly fault: MusterError | undefined;
}

/**
 * Reads `<data>/box.json` for a box that has to come up with nobody there: for a file that cannot be used, what it said
 * before goes on, but for the consent to keep examples, which has to be plain.
 */
export async function keptBoxFile(dataDir: string): Promise<KeptBoxFile> {
  const kept = join(dataDir, KEPT);
  try {
    const file = loadBoxFile(dataDir);
    await keep(kept, file);
    return { file, fault: undefined };
  } catch (error) {
    if (!isMusterError(error, "settings.invalid")) throw error;
    const { capture: _withheld, ...file } = lastGood(kept);
    return { file, fault: error };
  }
}

/** A disk that is full costs the copy, and not the start of the agent. */
async function keep(path: string, file: BoxFile): Promise<void> {
  const content = JSON.stringify(file);
  const write = content === "{}" ? rm(path, { force: true }) : replace(path, content);
  await write.catch(() => undefined);
}

async function replace(path: string, content: string): Promise<void> {
  if (textOf(path) !== content) await writeAtomically(path, content, 0o600);
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Nothing where there is none, or where a newer agent does not take it any more. */
function lastGood(path: string): BoxFile {
  try {
    return readBoxFile(path);
  } catch {
    return {};
  }
}
