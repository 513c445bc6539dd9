import { MusterError } from "../errors.ts";

/** No zone has changed its offset at any other moment than a full quarter of an hour since 1972. */
export const QUARTER = 900_000;
const MOST_CACHED = 512;

interface Zone {
  formatter: Intl.DateTimeFormat;
  /** Offset in milliseconds by quarter of an hour since the epoch. */
  offsets: Map<number, number>;
}

const zones = new Map<string, Zone>();

/** Making a formatter takes thousands of times as long as using it. */
function zoneOf(name: string): Zone {
  let zone = zones.get(name);
  if (!zone) {
    try {
      const formatter = new Intl.DateTimeFormat("en-US", { timeZone: name, timeZoneName: "longOffset" });
      zone = { formatter, offsets: new Map() };
    } catch (cause) {
      throw new MusterError("window.invalid", `${name} is no IANA time zone.`, { cause });
    }
    zones.set(name, zone);
  }
  return zone;
}

/**
 * How far the clocks of a time zone are ahead of UTC at a moment, milliseconds.
 * @param timeZone IANA name
 * @throws MusterError `window.invalid` for a name that is none
 */
export function offsetAt(timeZone: string, moment: number): number {
  const { formatter, offsets } = zoneOf(timeZone);
  const quarter = Math.floor(moment / QUARTER);
  let offset = offsets.get(quarter);
  if (offset === undefined) {
    const [, sign, hours, minutes] = /GMT([+-])(\d\d):(\d\d)/.exec(formatter.format(quarter * QUARTER)) ?? [];
    const ahead = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000;
    offset = sign === "-" ? -ahead : ahead;
    if (offsets.size >= MOST_CACHED) offsets.clear();
    offsets.set(quarter, offset);
  }
  return offset;
}
