import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asMusterError } from "@muster/shared/errors";
import { ControlPlane } from "../plant/control-plane.ts";
import { Console, liveLine } from "./console.ts";
import { deviceSettings } from "./device-settings.ts";
import { readOptions, type SimulatorOptions, USAGE } from "./options.ts";
import { type RunReport, runScenario } from "./scenario/run.ts";
import { readScenario, type Scenario } from "./scenario/schema.ts";
import { prepareSimulation } from "./simulation.ts";

/** Exit codes: everything that the scenario expects was true, something was not, the run was not possible. */
const EXIT = { held: 0, failed: 1, impossible: 2 } as const;

/** What a start of many devices at once needs; everything else is as shipped. */
const SETTINGS = { enrollmentsPerMinute: 1_000_000 };

/** A fleet that just lives until it is told to stop. */
const EVERYDAY: Scenario = {
  schema: "muster.scenario/1",
  description: "Nothing happens.",
  limitSeconds: 86_400,
  releases: [
    { name: "detector", version: "1.0.0" },
    { name: "detector", version: "1.1.0" },
  ],
  events: [],
  expect: [],
};

const console_ = new Console(process.stderr);
const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    console_.say(`Stopping on ${signal}.`);
    stopping.abort();
  });

async function simulate(
  options: SimulatorOptions,
  scenario: Scenario,
  directory: string,
): Promise<RunReport> {
  const { devices, sites, seed, strange, keep } = options;
  const simulation = await prepareSimulation({
    ...{ devices, sites, seed, directory },
    keep: keep !== undefined,
    controlPlane: strange ?? new ControlPlane(directory, { ...SETTINGS, ...scenario.controlPlane }),
    settings: deviceSettings(scenario.devices),
    releases: scenario.releases,
    progress: (words) => console_.live(words),
  });
  try {
    const { operatorUrl, operatorToken } = simulation.plane;
    if (!strange) console_.say(`The fleet is at ${operatorUrl}/#token=${operatorToken}`);
    return await runScenario(simulation, scenario, seed, {
      look: (seconds, counts, seen) => console_.live(liveLine(seconds, counts, seen)),
      event: (words) => console_.say(words),
      signal: stopping.signal,
    });
  } finally {
    await simulation.close();
  }
}

async function main(): Promise<number> {
  if (process.argv.includes("--help")) {
    process.stdout.write(USAGE);
    return EXIT.held;
  }
  let directory: string | undefined;
  let keep: string | undefined;
  try {
    const options = readOptions(process.argv.slice(2));
    const scenario = options.scenario === undefined ? EVERYDAY : await readScenario(options.scenario);
    keep = options.keep;
    directory = keep ?? (await mkdtemp(join(tmpdir(), "muster-simulator-")));
    const { devices, sites, seed } = options;
    const report = await simulate(options, scenario, directory);
    for (const { held, found } of report.expectations) console_.say(`${held ? "held  " : "FAILED"} ${found}`);
    console.log(
      JSON.stringify({
        scenario: options.scenario ?? null,
        seed,
        sites,
        ...report,
        devices,
        counts: report.devices,
      }),
    );
    return report.held ? EXIT.held : EXIT.failed;
  } catch (error) {
    const { code, message, remedy } = asMusterError(error);
    console_.say(`${code}: ${message}\n${remedy}`);
    return EXIT.impossible;
  } finally {
    if (directory !== undefined && keep === undefined) await rm(directory, { recursive: true, force: true });
  }
}

process.exitCode = await main();
