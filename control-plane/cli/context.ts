import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import { parseJson } from "@muster/shared/protocol/validate";
import { type Static, Type } from "typebox";

const Context = Type.Object(
  {
    url: Type.String({ minLength: 1 }),
    token: Type.String({ minLength: 1 }),
    /** Directory of the offline keys, remembered from `keys init` and `trust init`. */
    keys: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
);
/** Which control plane the commands talk to, and as whom. */
export type Context = Static<typeof Context>;

export type Environment = Readonly<Record<string, string | undefined>>;

const contextFile = (env: Environment): string =>
  join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), ".config"), "muster", "config.json");

async function readContext(env: Environment): Promise<Context | undefined> {
  const file = contextFile(env);
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new MusterError("settings.invalid", `${file} cannot be read.`, { cause });
  }
  try {
    return parseJson(Context, text, "settings.invalid");
  } catch (cause) {
    throw new MusterError("settings.invalid", `${file} is broken; \`muster login\` writes it anew.`, {
      cause,
    });
  }
}

/** Stores the context for its owner's eyes only; a reader never sees half a file. */
async function writeContext(env: Environment, context: Context): Promise<string> {
  const file = contextFile(env);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}`;
  await writeFile(temporary, `${JSON.stringify(context, undefined, 2)}\n`, { mode: 0o600 });
  await chmod(temporary, 0o600);
  await rename(temporary, file);
  return file;
}

/** Stores who is signed in where, and keeps what is known of this control plane else. */
export async function signInto(env: Environment, { url, token }: Context): Promise<string> {
  const stored = await readContext(env).catch(() => undefined);
  const keys = stored?.url === url ? stored.keys : undefined;
  return await writeContext(env, { url, token, ...(keys === undefined ? {} : { keys }) });
}

/**
 * The context in force: MUSTER_URL and MUSTER_TOKEN go before what `muster login` stored.
 * @throws MusterError `request.unauthorized` where nobody has signed in
 */
export async function currentContext(env: Environment): Promise<Context> {
  const fromEnvironment = env.MUSTER_URL && env.MUSTER_TOKEN;
  const stored = fromEnvironment ? undefined : await readContext(env);
  const url = env.MUSTER_URL || stored?.url;
  const token = env.MUSTER_TOKEN || stored?.token;
  if (!url || !token)
    throw new MusterError(
      "request.unauthorized",
      "No control plane is chosen yet: run `muster login` first.",
    );
  return { url, token, ...(stored?.keys ? { keys: stored.keys } : {}) };
}

/** Directory of the offline keys: the option, MUSTER_KEYS, or the one that was used last. */
export async function keysDirectory(
  env: Environment,
  option: string | undefined,
): Promise<string | undefined> {
  return option ?? env.MUSTER_KEYS ?? (await readContext(env).catch(() => undefined))?.keys;
}

/** Remembers the directory of the offline keys where a context is stored; else does nothing. */
export async function rememberKeys(env: Environment, keys: string): Promise<void> {
  const stored = await readContext(env).catch(() => undefined);
  if (stored && stored.keys !== keys) await writeContext(env, { ...stored, keys });
}
