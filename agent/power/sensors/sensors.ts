import { boardWatts } from "./board-meter.ts";
import { type RaplCounters, raplMillijoules, readRapl } from "./rapl.ts";
import { readSupply, type Supply } from "./supply.ts";
import { Sysfs } from "./sysfs.ts";
import { hottestCelsius } from "./temperature.ts";
import { NO_MARKS, readThrottling, type ThrottlingMarks } from "./throttling.ts";

/** What measured the draw: the board, the platform counter, a discharging battery, or processors and memory alone. */
export type Meter = "board" | "platform" | "battery" | "processor";

/** What the box says about heat and power; null for what it cannot tell. */
export interface Reading {
  readonly temperatureC: number | null;
  /** Mean draw since the last reading, watts. */
  readonly watts: number | null;
  /** Energy since the last reading, millijoules. */
  readonly energyMj: number | null;
  readonly meter: Meter | null;
  readonly throttled: boolean | null;
  readonly supply: Supply | null;
}

/** Of a box that tells nothing. */
export const SILENCE: Reading = {
  temperatureC: null,
  watts: null,
  energyMj: null,
  meter: null,
  throttled: null,
  supply: null,
};

export interface SensorOptions {
  /** Where the kernel shows its devices. */
  readonly root: string;
  /** Meters that measure the whole box, see `boardWatts`. */
  readonly meters: readonly string[];
  /** Milliseconds that only grow. */
  readonly monotonic: () => number;
}

interface Before {
  readonly at: number;
  readonly rapl: RaplCounters;
  readonly board: number | null;
}

/** After such a pause (a suspended box) a counter may have wrapped more than once, milliseconds. */
const LONGEST_SPAN_MS = 600_000;

/** Reads temperature, draw, throttling and supply, as far as this box has sensors for them (Linux). */
export class Sensors {
  readonly #options: SensorOptions;
  readonly #sysfs: Sysfs;
  #before: Before | undefined;
  #marks: ThrottlingMarks = NO_MARKS;

  constructor(options: SensorOptions) {
    this.#options = options;
    this.#sysfs = new Sysfs(options.root);
  }

  async read(): Promise<Reading> {
    const sysfs = this.#sysfs;
    const { throttled, marks } = await readThrottling(sysfs, this.#marks);
    this.#marks = marks;
    const temperatureC = await hottestCelsius(sysfs);
    const supply = await readSupply(sysfs);
    const now: Before = {
      board: await boardWatts(sysfs, this.#options.meters),
      rapl: await readRapl(sysfs),
      at: this.#options.monotonic(),
    };
    const drawn = drawOf(this.#before, now, supply);
    this.#before = now;
    return { temperatureC, throttled, supply, ...drawn };
  }
}

/** The meter that sees most of the box counts. A sampled draw is taken as changing evenly between two readings. */
function drawOf(
  before: Before | undefined,
  now: Before,
  supply: Supply | null,
): Pick<Reading, "watts" | "energyMj" | "meter"> {
  const ms = before ? now.at - before.at : 0;
  const isSpan = ms > 0 && ms <= LONGEST_SPAN_MS;
  if (now.board !== null) {
    const watts = before?.board == null || !isSpan ? now.board : (before.board + now.board) / 2;
    return { watts, energyMj: isSpan ? watts * ms : null, meter: "board" };
  }
  const counted = (meter: "platform" | "processor") => {
    const energyMj = before && isSpan ? raplMillijoules(before.rapl[meter], now.rapl[meter]) : null;
    return { watts: energyMj === null ? null : energyMj / ms, energyMj, meter } as const;
  };
  if (now.rapl.platform.size > 0) return counted("platform");
  if (supply?.watts != null)
    return { watts: supply.watts, energyMj: isSpan ? supply.watts * ms : null, meter: "battery" };
  if (now.rapl.processor.size > 0) return counted("processor");
  return { watts: null, energyMj: null, meter: null };
}
