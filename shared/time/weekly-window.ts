import { type Static, Type } from "typebox";
import { MusterError } from "../errors.ts";

const CLOCK_TIME = "^([01][0-9]|2[0-3]):[0-5][0-9]$";
const ClockTime = Type.String({ pattern: CLOCK_TIME });
export const WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
type Weekday = (typeof WEEKDAYS)[number];

/**
 * A time of the week by the clock of a time zone. `to` at or before `from` lies on the next day; `days` are those on
 * which the window begins, all of them where it is absent.
 */
export const WeeklyWindow = Type.Object(
  {
    days: Type.Optional(Type.Array(Type.Enum(WEEKDAYS), { minItems: 1, maxItems: 7 })),
    from: ClockTime,
    to: ClockTime,
  },
  { additionalProperties: false },
);
export type WeeklyWindow = Static<typeof WeeklyWindow>;

/** Far more than seven days and two times take; longer texts would take long to read. */
const LONGEST_WINDOW = 200;
const WINDOW = /^(?:([a-z,\s-]+?)\s+)?([0-9:]+)\s*-\s*([0-9:]+)$/;

/**
 * A window from its text: `mon-fri 22:00-05:00`, `sat,sun 00:00-24:00`, or every day with `02:00-05:00`. Days
 * are `mon` to `sun`, one, a list or a range, which may go over Sunday (`fri-mon`).
 * @throws MusterError `window.invalid` with what is wrong
 */
export function parseWindow(text: string): WeeklyWindow {
  if (text.length > LONGEST_WINDOW) refuse(text.slice(0, LONGEST_WINDOW));
  const [, days, from = "", end = ""] = WINDOW.exec(text.trim().toLowerCase()) ?? refuse(text);
  const to = end === "24:00" ? "00:00" : end;
  for (const time of [from, to])
    if (!new RegExp(CLOCK_TIME).test(time))
      throw new MusterError("window.invalid", `${time} in "${text}" is no time of day.`);
  const begins = days === undefined ? WEEKDAYS : parseDays(days, text);
  return begins.length === WEEKDAYS.length ? { from, to } : { days: [...begins], from, to };
}

/** The text that `parseWindow` reads, days in the order of the week. */
export function printWindow({ days = [...WEEKDAYS], from, to }: WeeklyWindow): string {
  const times = `${from}-${to === "00:00" ? "24:00" : to}`;
  const begins = WEEKDAYS.filter((day) => days.includes(day));
  return begins.length === WEEKDAYS.length ? times : `${printDays(begins)} ${times}`;
}

function refuse(text: string): never {
  throw new MusterError(
    "window.invalid",
    `"${text.slice(0, 60)}" is no window: write "mon-fri 22:00-05:00".`,
  );
}

function parseDays(list: string, text: string): Weekday[] {
  const chosen = new Set<Weekday>();
  for (const part of list.split(",")) {
    const [first, last = first, ...rest] = part
      .split("-")
      .map((name) => WEEKDAYS.indexOf(name.trim() as Weekday));
    if (first === undefined || last === undefined || first < 0 || last < 0 || rest.length > 0)
      throw new MusterError(
        "window.invalid",
        `${part.trim() || "Nothing"} in "${text}" is no day: write mon to sun.`,
      );
    for (let index = first; ; index = (index + 1) % WEEKDAYS.length) {
      chosen.add(WEEKDAYS[index] as Weekday);
      if (index === last) break;
    }
  }
  return WEEKDAYS.filter((day) => chosen.has(day));
}

/** Three days or more in a row are said as a range. */
function printDays(days: readonly Weekday[]): string {
  const runs: Weekday[][] = [];
  for (const day of days) {
    const run = runs.at(-1);
    const previous = run?.at(-1);
    if (run && previous && WEEKDAYS.indexOf(day) === WEEKDAYS.indexOf(previous) + 1) run.push(day);
    else runs.push([day]);
  }
  return runs.map((run) => (run.length > 2 ? `${run[0]}-${run.at(-1)}` : run.join(","))).join(",");
}
