import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import { parseJson } from "@muster/shared/protocol/validate";
import { type Static, Type } from "typebox";
import { CheckpointResource } from "../api/schemas/audit.ts";
import type { Environment } from "./context.ts";

/** What this machine saw of the audit log of a control plane when it looked last. */
const Seen = Type.Object(
  { publicKey: Type.String(), checkpoint: CheckpointResource },
  { additionalProperties: false },
);
export type Seen = Static<typeof Seen>;
const Witnessed = Type.Record(Type.String(), Seen);

const fileOf = (env: Environment): string =>
  join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), ".config"), "muster", "audit-seen.json");

async function readAll(env: Environment): Promise<Static<typeof Witnessed>> {
  let text: string;
  try {
    text = await readFile(fileOf(env), "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw new MusterError("settings.invalid", `${fileOf(env)} cannot be read.`, { cause });
  }
  return parseJson(Witnessed, text, "settings.invalid");
}

/** What was seen of the control plane at `origin`; undefined where this machine never looked. */
export async function lastSeen(env: Environment, origin: string): Promise<Seen | undefined> {
  const all = await readAll(env);
  return Object.hasOwn(all, origin) ? all[origin] : undefined;
}

/** Keeps what was seen: a log that is cut back later does not pass here, wherever else the traces were removed. */
export async function rememberSeen(env: Environment, origin: string, seen: Seen): Promise<void> {
  const all = await readAll(env);
  const file = fileOf(env);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}`;
  await writeFile(temporary, `${JSON.stringify({ ...all, [origin]: seen }, undefined, 2)}\n`, {
    mode: 0o600,
  });
  await rename(temporary, file);
}
