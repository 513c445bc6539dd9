import { readFileSync } from "node:fs";
import { join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import { readSetting, type Setting } from "./setting.ts";
import { SETTINGS, type SettingName, type Settings } from "./settings.ts";

const NAMES = Object.keys(SETTINGS) as SettingName[];

/** `batchKib` is `--batch-kib` on the command line. */
export const flagOf = (name: SettingName): string => snake(name).replaceAll("_", "-");
/** `batchKib` is `MUSTER_BATCH_KIB` in the environment. MUSTER_TOKEN is the operator's own. */
export const variableOf = (name: SettingName): string =>
  name === "token" ? "MUSTER_JOIN_TOKEN" : `MUSTER_${snake(name).toUpperCase()}`;

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/**
 * Settings in order of precedence: command line, environment (`MUSTER_...`), `<data>/agent.json`, defaults.
 * @throws MusterError `settings.invalid` for a value that cannot be used, a name in the file that is not
 * known, or a file that is not a JSON object
 */
export function loadSettings(
  flags: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
): Settings {
  const given = (name: SettingName): { raw: unknown; source: string } | undefined => {
    if (flags[name] !== undefined) return { raw: flags[name], source: `--${flagOf(name)}` };
    const variable = environment[variableOf(name)];
    return variable === undefined ? undefined : { raw: variable, source: variableOf(name) };
  };
  const early = given("data");
  const data = early ? readSetting("data", SETTINGS.data, early.raw, early.source) : SETTINGS.data.fallback;
  const path = join(data, "agent.json");
  const file = readFile(path);
  const value = (name: SettingName): unknown => {
    const setting: Setting<unknown> = SETTINGS[name];
    const found = given(name) ?? (Object.hasOwn(file, name) ? { raw: file[name], source: path } : undefined);
    return found ? readSetting(name, setting, found.raw, found.source) : setting.fallback;
  };
  return { ...Object.fromEntries(NAMES.map((name) => [name, value(name)])), data } as Settings;
}

function readFile(path: string): Record<string, unknown> {
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw new MusterError("settings.invalid", `${path} cannot be read.`, { cause });
  }
  const value = parse(content, path);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new MusterError("settings.invalid", `${path} is not a JSON object.`);
  const unknown = Object.keys(value).find((name) => !Object.hasOwn(SETTINGS, name));
  if (unknown !== undefined)
    throw new MusterError("settings.invalid", `${path} has a setting that is not known: ${unknown}.`);
  return value as Record<string, unknown>;
}

function parse(content: string, path: string): unknown {
  try {
    return JSON.parse(content);
  } catch (cause) {
    throw new MusterError("settings.invalid", `${path} is not JSON.`, { cause });
  }
}
