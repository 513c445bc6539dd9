import { figure, isQuick, printFigures } from "../figures.ts";
import { directiveSpread } from "./directive-spread.ts";
import { playSeries } from "./exposure/series.ts";
import { exposureFigures } from "./exposure/summary.ts";
import { stopBadRelease } from "./stop.ts";
import { openWireFleet } from "./wire-fleet.ts";

/**
 * How fast a rollout reaches everybody and how fast a bad one is stopped, by simulated devices on real sockets at a
 * real control plane beside them; and how many devices get a bad release at all, in virtual time on real services
 * and database files.
 */
const DEVICES = isQuick ? 100 : 10_000;
const SEEDS = isQuick ? 10 : 100;
/** A violated gate stops a rollout in the next tick; what is measured includes the way from the device. */
const AIM_TICKS = 2;

const say = (words: string): void => console.error(words);

async function onTheWire() {
  const fleet = await openWireFleet(DEVICES, () => {});
  try {
    const spread = await directiveSpread(fleet);
    const stop = await stopBadRelease(fleet, spread.seconds);
    return { spread, stop };
  } finally {
    await fleet.close();
  }
}

say(`${DEVICES} devices on real sockets`);
const { spread, stop } = await onTheWire();
say(`${SEEDS} seeds in virtual time`);
const outcomes = await playSeries(SEEDS, isQuick, (done) => {
  if (done % 10 === 0) say(`${done} of ${SEEDS} seeds`);
});
printFigures("rollout", [
  figure("start until the last directive is held", spread.seconds, "s", "lower"),
  figure("of that, until the start is answered", spread.startSeconds, "s", "lower"),
  figure("directives", DEVICES / spread.seconds, "devices/s", "higher"),
  figure("first bad evidence until all are called back", stop.seconds, "s", "lower"),
  figure("evidence that suffices until the gate stops it", stop.ticks, "ticks", "lower", AIM_TICKS),
  ...exposureFigures(outcomes),
]);
