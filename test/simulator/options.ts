import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { asMusterError, MusterError } from "@muster/shared/errors";

export const USAGE = `npm run sim -- [options]

  --devices N       simulated devices (default: 100)
  --sites N         sites they are spread over (default: one for each 20 devices)
  --scenario FILE   what happens and what must be true in the end; or the name of one of
                    test/simulator/scenarios. Without one the fleet lives until Ctrl-C.
  --seed N          makes keys, hardware and chance repeatable (default: 1)
  --keep DIR        keep the enrolled fleet and its control plane there and use them again
  --url URL         a control plane that runs already, with --token TOKEN
  --keys DIR        offline keys for --url, where releases have to be signed
`;

export interface SimulatorOptions {
  devices: number;
  sites: number;
  scenario: string | undefined;
  seed: number;
  keep: string | undefined;
  strange: { url: string; token: string; keys?: string } | undefined;
}

function number(name: string, text: string | undefined, absent: number, highest: number): number {
  const value = text === undefined ? absent : Number(text);
  if (!Number.isInteger(value) || value < 1 || value > highest)
    throw new MusterError("settings.invalid", `--${name} takes a whole number from 1 to ${highest}.`);
  return value;
}

/** The file of a scenario: a path, or the name of one that is shipped. */
function scenarioFile(given: string): string {
  // The build holds no JSON: shipped scenarios lie beside the source.
  const shipped = fileURLToPath(new URL(`../../simulator/scenarios/${given}.json`, import.meta.url));
  return /^[a-z0-9-]+$/.test(given) && existsSync(shipped) ? shipped : given;
}

/** @throws MusterError `settings.invalid` */
export function readOptions(args: readonly string[]): SimulatorOptions {
  const text = { type: "string" } as const;
  let values: Record<string, string | undefined>;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        devices: text,
        sites: text,
        scenario: text,
        seed: text,
        keep: text,
        url: text,
        token: text,
        keys: text,
      },
    }));
  } catch (cause) {
    throw new MusterError("settings.invalid", asMusterError(cause).message, { cause });
  }
  const { scenario, keep, url, token, keys } = values;
  if ((url === undefined) !== (token === undefined))
    throw new MusterError("settings.invalid", "--url and --token belong together.");
  if (keys !== undefined && url === undefined)
    throw new MusterError("settings.invalid", "--keys belongs to --url.");
  if (keep !== undefined && url !== undefined)
    throw new MusterError(
      "settings.invalid",
      "--keep keeps a control plane of the simulator's own, not that of --url.",
    );
  const devices = number("devices", values.devices, 100, 100_000);
  const sites = number("sites", values.sites, Math.ceil(devices / 20), devices);
  return {
    devices,
    sites,
    seed: number("seed", values.seed, 1, 2 ** 31 - 1),
    scenario: scenario === undefined ? undefined : scenarioFile(scenario),
    keep,
    strange: url !== undefined && token !== undefined ? { url, token, ...(keys ? { keys } : {}) } : undefined,
  };
}
