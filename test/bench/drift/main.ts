import { DEFAULT_MONITOR } from "@muster/shared/protocol/serving/default-monitor";
import { figure, isQuick, printFigures } from "../figures.ts";
import { observationUs } from "./cost.ts";
import { alarmAt, judgeOne, type Setting } from "./watch.ts";
import { SAME, type Stream, seeded } from "./world.ts";

/**
 * How often a model that sees what it was calibrated on counts as drifted, and one that does not: simulated windows
 * judged by the code that judges real ones, beside the fixed band of 0.1 on the same counts. Each window has a
 * reference of its own, so that chance in the reference counts too.
 */
const RUNS = isQuick ? 200 : 4_000;
const DAYS = isQuick ? 6 : 300;
const WINDOWS_A_DAY = 288;
const NOMINAL_PERCENT = 100 * DEFAULT_MONITOR.alpha;

const figures: ReturnType<typeof figure>[] = [];
const percent = (count: number, of: number): number => (100 * count) / of;

function windows(setting: Setting, stream: Stream, runs: number) {
  const counts = { fixed: 0, chance: 0, drifted: 0 };
  for (let seed = 1; seed <= runs; seed += 1) {
    const judged = judgeOne(seeded(seed), setting, stream, DEFAULT_MONITOR);
    if (judged.fixed) counts.fixed += 1;
    if (judged.chance) counts.chance += 1;
    if (judged.drifted) counts.drifted += 1;
  }
  return {
    fixed: percent(counts.fixed, runs),
    chance: percent(counts.chance, runs),
    drifted: percent(counts.drifted, runs),
  };
}

let worst = 0;
for (const [bins, features, reference, samples] of [
  [10, 1, 10_000, 100],
  [20, 1, 10_000, 100],
  [20, 1, 10_000, 200],
  [10, 1, 10_000, 1_000],
  [20, 1, 10_000, 5_000],
  [15, 5, 1_000, 200],
  [15, 5, 1_000, 1_000],
  [15, 20, 1_000, 1_000],
  [15, 5, 1_000, 100_000],
] as const) {
  const rates = windows(
    { bins, features, reference, samples },
    SAME,
    Math.max(100, RUNS / Math.ceil((features * samples) / 20_000)),
  );
  const name = `${bins} bins, ${features} features, n ${samples}, m ${reference}`;
  worst = Math.max(worst, rates.drifted);
  figures.push(
    figure(`window, no drift, band 0.1: ${name}`, rates.fixed, "%", "lower"),
    figure(`window, no drift, chance: ${name}`, rates.chance, "%", "lower"),
    figure(`window, no drift, chance and size: ${name}`, rates.drifted, "%", "lower", NOMINAL_PERCENT),
  );
}

const usual: Setting = { bins: 15, features: 5, reference: 1_000, samples: 300 };
for (const [name, stream] of [
  ["independent values", SAME],
  ["neighbours correlated 0.5", { shift: 0, correlation: 0.5 }],
  ["neighbours correlated 0.9", { shift: 0, correlation: 0.9 }],
] as const) {
  const alarms = { fixed: 0, blind: 0, drifted: 0 };
  for (const way of ["fixed", "blind", "drifted"] as const)
    for (let seed = 1; seed <= DAYS; seed += 1)
      if (alarmAt(seeded(seed), usual, stream, DEFAULT_MONITOR, WINDOWS_A_DAY, way) !== null)
        alarms[way] += 1;
  figures.push(
    figure(`device days with a false alarm, band 0.1: ${name}`, percent(alarms.fixed, DAYS), "%", "lower"),
    figure(
      `device days with a false alarm, n as counted: ${name}`,
      percent(alarms.blind, DAYS),
      "%",
      "lower",
    ),
    figure(`device days with a false alarm: ${name}`, percent(alarms.drifted, DAYS), "%", "lower", 1),
  );
}

for (const samples of [200, 1_000])
  for (const shift of [0.2, 0.3, 0.5]) {
    const setting = { bins: 10, features: 1, reference: 10_000, samples };
    const rates = windows(setting, { shift, correlation: 0 }, RUNS / 2);
    const name = `shift ${shift}, n ${samples}`;
    figures.push(
      figure(`window found, band 0.1: ${name}`, rates.fixed, "%", "higher"),
      figure(`window found, chance: ${name}`, rates.chance, "%", "higher"),
      figure(`window found, chance and size: ${name}`, rates.drifted, "%", "higher"),
    );
  }
const ALARM_RUNS = isQuick ? 50 : 500;
const SOON = 24;
for (const correlation of [0, 0.9])
  for (const shift of [0.2, 0.3, 0.5]) {
    const at: number[] = [];
    for (let seed = 1; seed <= ALARM_RUNS; seed += 1) {
      const setting = { ...usual, samples: 1_000 };
      const window = alarmAt(seeded(seed), setting, { shift, correlation }, DEFAULT_MONITOR, SOON);
      if (window !== null) at.push(window);
    }
    const name = `shift ${shift}, correlation ${correlation}, 5 features, n 1000`;
    figures.push(
      figure(`alarm within ${SOON} windows: ${name}`, percent(at.length, ALARM_RUNS), "%", "higher"),
    );
    const mean = at.reduce((sum, each) => sum + each, 0) / at.length;
    if (at.length > 0) figures.push(figure(`windows until the alarm: ${name}`, mean, "windows", "lower"));
  }
const rounds = isQuick ? 10 : 60;
figures.push(
  figure("observation of 16 floats", observationUs([1, 16], rounds), "us", "lower", 2),
  figure("observation of 512 floats", observationUs([1, 512], rounds), "us", "lower"),
  figure(
    "observation of 3x224x224 floats",
    observationUs([1, 3, 224, 224], Math.ceil(rounds / 5)),
    "us",
    "lower",
  ),
  figure("highest false-alarm rate over the nominal one", worst / NOMINAL_PERCENT, "ratio", "lower", 1),
);
printFigures("drift", figures);
