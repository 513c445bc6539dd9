import type { Command } from "commander";
import { flagOf, variableOf } from "../config/load.ts";
import type { Setting } from "../config/setting.ts";
import { SETTINGS, type SettingName } from "../config/settings.ts";

/** Adds an option for each of the settings; each can be given by its variable and in the settings file too. */
export function addSettings(command: Command, names: readonly SettingName[]): Command {
  for (const name of names) {
    const setting: Setting<unknown> = SETTINGS[name];
    const { fallback } = setting;
    const hasFallback = typeof fallback === "string" || typeof fallback === "number";
    command.option(
      `--${flagOf(name)} <value>`,
      setting.help + (hasFallback ? ` (default: ${fallback})` : ""),
    );
  }
  return command.addHelpText(
    "after",
    `
Each option is a setting that may also stand in the environment (--data is ${variableOf("data")}) or in
agent.json of the data directory ({"${"heartbeatSeconds" satisfies SettingName}": 10}). The command line comes first, then the environment.`,
  );
}
