import { WEEKDAYS, type WeeklyWindow } from "./weekly-window.ts";
import { offsetAt, QUARTER } from "./zone-offset.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;
const WEEK = 7 * DAY;
/** 1970-01-01 was a Thursday. */
const EPOCH_IN_WEEK = 3 * DAY;

/** A time of the week, milliseconds since Monday 00:00 of the local clock. */
interface Span {
  start: number;
  length: number;
}

const spans = new WeakMap<readonly WeeklyWindow[], Span[]>();

function spansOf(windows: readonly WeeklyWindow[]): Span[] {
  let found = spans.get(windows);
  if (!found) {
    found = windows.flatMap(({ days = WEEKDAYS, from, to }) =>
      days.map((day) => ({
        start: WEEKDAYS.indexOf(day) * DAY + timeOfDay(from),
        length: modulo(timeOfDay(to) - timeOfDay(from), DAY) || DAY,
      })),
    );
    spans.set(windows, found);
  }
  return found;
}

const modulo = (value: number, by: number): number => ((value % by) + by) % by;

function timeOfDay(text: string): number {
  const [hours, minutes] = text.split(":");
  return (Number(hours) * 60 + Number(minutes)) * MINUTE;
}

const timeOfWeek = (timeZone: string, moment: number): number =>
  modulo(moment + offsetAt(timeZone, moment) + EPOCH_IN_WEEK, WEEK);

/**
 * Whether one of the windows is open at a moment: whether the clock on the wall of the site shows a time in it.
 * An hour that a clock change leaves out is in no window; one that it repeats is in its window twice.
 * @param windows empty for always
 * @param timeZone IANA name
 * @param now milliseconds since the epoch
 */
export function isOpen(windows: readonly WeeklyWindow[], timeZone: string, now: number): boolean {
  if (windows.length === 0) return true;
  const time = timeOfWeek(timeZone, now);
  return spansOf(windows).some(({ start, length }) => modulo(time - start, WEEK) < length);
}

/** The first moment from `now` on at which a window is open, milliseconds since the epoch; `now` where one is. */
export function nextOpening(windows: readonly WeeklyWindow[], timeZone: string, now: number): number {
  let moment = now;
  while (!isOpen(windows, timeZone, moment)) {
    const time = timeOfWeek(timeZone, moment);
    const wait = Math.min(...spansOf(windows).map(({ start }) => modulo(start - time, WEEK)));
    const change = firstChange(timeZone, moment, moment + wait);
    if (change === null) return moment + wait;
    moment = change;
  }
  return moment;
}

/** When the offset changes after `from`, up to `to` at most a week later; zones do not change twice in a week. */
function firstChange(timeZone: string, from: number, to: number): number | null {
  const before = offsetAt(timeZone, from);
  if (offsetAt(timeZone, to) === before) return null;
  let low = Math.floor(from / QUARTER);
  let high = Math.floor(to / QUARTER);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(timeZone, middle * QUARTER) === before) low = middle;
    else high = middle;
  }
  return high * QUARTER;
}
