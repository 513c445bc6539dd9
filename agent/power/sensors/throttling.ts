import type { Sysfs } from "./sysfs.ts";

const CPUS = "devices/system/cpu";
/** Bits of the Raspberry Pi firmware that tell of now: under-voltage, frequency capped, throttled, soft limit. */
const FIRMWARE_NOW = 0xf;

/** What is remembered from one look to the next. */
export interface ThrottlingMarks {
  /** Throttling events of all cores since boot. */
  readonly events: number | null;
  /** Highest frequency limit seen, kHz, by frequency policy: one that an administrator set is no throttling. */
  readonly limits: ReadonlyMap<string, number>;
}

export const NO_MARKS: ThrottlingMarks = { events: null, limits: new Map() };

export interface Throttling {
  /** Null where the box has no way to tell. */
  readonly throttled: boolean | null;
  readonly marks: ThrottlingMarks;
}

/**
 * Whether the box slows its processors down by itself: throttling events since the last look, a cooling device at
 * work, a frequency limit below what it was, or what the firmware says.
 */
export async function readThrottling(sysfs: Sysfs, before: ThrottlingMarks): Promise<Throttling> {
  const events = await throttleEvents(sysfs);
  const limits = await frequencyLimits(sysfs);
  const cooling = await coolingAtWork(sysfs);
  const firmware = await firmwareFlags(sysfs);
  const isLimited = [...limits].some(([policy, limit]) => limit < (before.limits.get(policy) ?? 0));
  for (const [policy, limit] of before.limits) limits.set(policy, Math.max(limit, limits.get(policy) ?? 0));
  const signs = [
    events === null || before.events === null ? null : events > before.events,
    limits.size === 0 ? null : isLimited,
    cooling,
    firmware === undefined ? null : (firmware & FIRMWARE_NOW) !== 0,
  ];
  const known = signs.filter((sign) => sign !== null);
  return { throttled: known.length > 0 ? known.includes(true) : null, marks: { events, limits } };
}

async function throttleEvents(sysfs: Sysfs): Promise<number | null> {
  let events: number | null = null;
  for (const cpu of await sysfs.list(CPUS, "cpu")) {
    if (!/^cpu\d+$/.test(cpu)) continue;
    for (const file of ["core_throttle_count", "package_throttle_count"]) {
      const count = await sysfs.number(`${CPUS}/${cpu}/thermal_throttle/${file}`);
      if (count !== undefined) events = (events ?? 0) + count;
    }
  }
  return events;
}

async function frequencyLimits(sysfs: Sysfs): Promise<Map<string, number>> {
  const limits = new Map<string, number>();
  for (const policy of await sysfs.list(`${CPUS}/cpufreq`, "policy")) {
    const limit = await sysfs.number(`${CPUS}/cpufreq/${policy}/scaling_max_freq`);
    if (limit !== undefined && limit > 0) limits.set(policy, limit);
  }
  return limits;
}

/** Fans are meant to run; processors are not meant to be held back. */
async function coolingAtWork(sysfs: Sysfs): Promise<boolean | null> {
  let known: boolean | null = null;
  for (const device of await sysfs.list("class/thermal", "cooling_device")) {
    const type = (await sysfs.text(`class/thermal/${device}/type`)) ?? "";
    if (!/cpufreq|cpuidle|^Processor|powerclamp/i.test(type)) continue;
    const state = await sysfs.number(`class/thermal/${device}/cur_state`);
    if (state !== undefined) known = known === true || state > 0;
  }
  return known;
}

async function firmwareFlags(sysfs: Sysfs): Promise<number | undefined> {
  const text = await sysfs.text("devices/platform/soc/soc:firmware/get_throttled");
  const flags = text === undefined ? Number.NaN : Number.parseInt(text, 16);
  return Number.isNaN(flags) ? undefined : flags;
}
