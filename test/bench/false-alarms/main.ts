import { figure, isQuick, printFigures } from "../figures.ts";
import { grossFaultsFound } from "./canaries.ts";
import { watch } from "./watch.ts";
import { FAULTY_WORLDS, SAME_WORLDS } from "./worlds.ts";

/**
 * How often a gate stops a release that is no worse, and one that is: whole waves of simulated devices, judged at
 * every look by the code that judges real ones. Beside it a z-test with a fixed threshold on the same evidence.
 */
const RUNS = isQuick ? 100 : 2000;
const POWER_RUNS = isQuick ? 40 : 500;
const CANARY_RUNS = isQuick ? 500 : 10_000;
const NOMINAL_PERCENT = 5;

const figures = [];
const percentOf = (count: number, runs: number) => (100 * count) / runs;
let worst = 0;
for (const world of SAME_WORLDS) {
  let violated = 0;
  let staked = 0;
  let naive = 0;
  for (let seed = 1; seed <= RUNS; seed += 1) {
    const seen = watch(world, seed, NOMINAL_PERCENT);
    if (seen.violatedAt !== null) violated += 1;
    if (seen.staked) staked += 1;
    if (seen.naive) naive += 1;
  }
  worst = Math.max(worst, percentOf(violated, RUNS));
  figures.push(
    figure(`false alarms: ${world.name}`, percentOf(violated, RUNS), "%", "lower", NOMINAL_PERCENT),
    figure(`stake over limit: ${world.name}`, percentOf(staked, RUNS), "%", "lower", NOMINAL_PERCENT),
    figure(`z-test: ${world.name}`, percentOf(naive, RUNS), "%", "lower"),
  );
}
for (const world of FAULTY_WORLDS) {
  let violated = 0;
  let blocks = 0;
  let named = 0;
  for (let seed = 1; seed <= POWER_RUNS; seed += 1) {
    const { violatedAt, named: classes } = watch(world, seed, 1);
    if (violatedAt === null) continue;
    if (classes.join() === world.fault?.onClass) named += 1;
    violated += 1;
    blocks += violatedAt;
  }
  figures.push(figure(`found at 1 %: ${world.name}`, percentOf(violated, POWER_RUNS), "%", "higher"));
  if (violated > 0)
    figures.push(figure(`blocks until found: ${world.name}`, blocks / violated, "blocks", "lower"));
  if (world.fault?.onClass)
    figures.push(figure(`only its class named: ${world.name}`, percentOf(named, POWER_RUNS), "%", "higher"));
}
for (const classes of [1, 3])
  for (const controls of [100, 300, 1000])
    for (const each of [1, 2, 3, 4, 6]) {
      const name = `gross fault found: ${each} of ${controls + each} of a class, ${classes === 1 ? "1 class" : `${classes} classes`}`;
      const found = grossFaultsFound({ each, controls, classes }, CANARY_RUNS);
      figures.push(figure(name, found, "%", "higher"));
    }
figures.push(
  figure("highest false-alarm rate over the nominal one", worst / NOMINAL_PERCENT, "ratio", "lower", 1),
);
printFigures("false-alarms", figures);
