import assert from "node:assert/strict";
import { test } from "node:test";
import { isMusterError } from "@muster/shared/errors";
import { isOpen, nextOpening } from "@muster/shared/time/opening";
import { parseWindow, type WeeklyWindow } from "@muster/shared/time/weekly-window";
import fc from "fast-check";

const HOUR = 3_600_000;
const at = (text: string) => Date.parse(text);
const open = (windows: readonly string[], zone: string, moment: string) =>
  isOpen(windows.map(parseWindow), zone, at(moment));
const next = (windows: readonly string[], zone: string, moment: string) =>
  new Date(nextOpening(windows.map(parseWindow), zone, at(moment))).toISOString();

const table: [what: string, windows: string[], zone: string, moment: string, expected: boolean][] = [
  ["no window at all", [], "UTC", "2026-11-22T12:00Z", true],
  ["begins with its minute", ["02:00-05:00"], "UTC", "2026-11-22T02:00Z", true],
  ["not before", ["02:00-05:00"], "UTC", "2026-11-22T01:59:59.999Z", false],
  ["its end is not in it", ["02:00-05:00"], "UTC", "2026-11-22T05:00Z", false],
  ["by the clock of the site, winter", ["02:00-05:00"], "Europe/Berlin", "2026-01-10T01:00Z", true],
  ["by the clock of the site, summer", ["02:00-05:00"], "Europe/Berlin", "2026-07-10T00:00Z", true],
  ["summer, an hour too late", ["02:00-05:00"], "Europe/Berlin", "2026-07-10T03:30Z", false],
  ["over midnight, evening", ["22:00-05:00"], "UTC", "2026-11-22T23:00Z", true],
  ["over midnight, morning", ["22:00-05:00"], "UTC", "2026-11-22T04:59Z", true],
  ["over midnight, day", ["22:00-05:00"], "UTC", "2026-11-22T12:00Z", false],
  // 2026-11-20 is a Friday.
  ["Friday's window reaches into Saturday", ["mon-fri 22:00-05:00"], "UTC", "2026-11-21T03:00Z", true],
  ["Saturday has none of its own", ["mon-fri 22:00-05:00"], "UTC", "2026-11-21T23:00Z", false],
  ["Sunday night is no Monday", ["mon-fri 22:00-05:00"], "UTC", "2026-11-23T03:00Z", false],
  ["Sunday's window reaches into Monday", ["sun 22:00-05:00"], "UTC", "2026-11-23T03:00Z", true],
  ["a whole day, its end", ["sat,sun 00:00-24:00"], "UTC", "2026-11-22T23:59Z", true],
  ["a whole day, the next", ["sat,sun 00:00-24:00"], "UTC", "2026-11-23T00:00Z", false],
  ["24 hours from noon", ["fri 12:00-12:00"], "UTC", "2026-11-21T11:59Z", true],
  ["any of several", ["01:00-02:00", "12:00-13:00"], "UTC", "2026-11-22T12:30Z", true],
  ["the weekday of the site, not of Greenwich", ["mon 00:00-06:00"], "Asia/Tokyo", "2026-11-22T16:00Z", true],
  ["a zone with a quarter of an hour", ["05:45-06:00"], "Asia/Kathmandu", "2026-11-22T00:00Z", true],
  ["a zone behind Greenwich", ["20:00-21:00"], "America/Los_Angeles", "2026-11-23T04:30Z", true],
  // Berlin: 2026-03-29 02:00 becomes 03:00, 2026-10-25 03:00 becomes 02:00.
  ["the hour that is left out", ["02:00-03:00"], "Europe/Berlin", "2026-03-29T01:00Z", false],
  ["a window over the hour left out, after it", ["02:30-04:00"], "Europe/Berlin", "2026-03-29T01:00Z", true],
  ["a window over the hour left out, end", ["02:30-04:00"], "Europe/Berlin", "2026-03-29T02:00Z", false],
  ["the repeated hour, first", ["02:00-03:00"], "Europe/Berlin", "2026-10-25T00:30Z", true],
  ["the repeated hour, second", ["02:00-03:00"], "Europe/Berlin", "2026-10-25T01:30Z", true],
  ["half of the repeated hour, between", ["01:30-02:30"], "Europe/Berlin", "2026-10-25T00:45Z", false],
  ["half of the repeated hour, again", ["01:30-02:30"], "Europe/Berlin", "2026-10-25T01:15Z", true],
];

for (const [what, windows, zone, moment, expected] of table)
  test(`${what}: ${windows.join(" ")} ${zone} ${moment}`, () => {
    assert.equal(open(windows, zone, moment), expected);
  });

const openings: [what: string, windows: string[], zone: string, moment: string, expected: string][] = [
  ["open now", ["02:00-05:00"], "UTC", "2026-11-22T03:00Z", "2026-11-22T03:00:00.000Z"],
  ["later today", ["02:00-05:00"], "UTC", "2026-11-22T01:00Z", "2026-11-22T02:00:00.000Z"],
  ["tomorrow", ["02:00-05:00"], "UTC", "2026-11-22T05:00Z", "2026-11-23T02:00:00.000Z"],
  ["next Monday", ["mon 02:00-05:00"], "UTC", "2026-11-23T05:00Z", "2026-11-30T02:00:00.000Z"],
  [
    "the first of several",
    ["mon 02:00-05:00", "sun 22:00-23:00"],
    "UTC",
    "2026-11-22T09:00Z",
    "2026-11-22T22:00:00.000Z",
  ],
  [
    "over the change to summer time",
    ["sun 12:00-13:00"],
    "Europe/Berlin",
    "2026-03-28T20:00Z",
    "2026-03-29T10:00:00.000Z",
  ],
  [
    "over the change to winter time",
    ["sun 12:00-13:00"],
    "Europe/Berlin",
    "2026-10-24T20:00Z",
    "2026-10-25T11:00:00.000Z",
  ],
  [
    "its time is left out: the next day",
    ["02:00-03:00"],
    "Europe/Berlin",
    "2026-03-29T00:00Z",
    "2026-03-30T00:00:00.000Z",
  ],
  [
    "its time is left out: the next week",
    ["sun 02:00-03:00"],
    "Europe/Berlin",
    "2026-03-28T23:00Z",
    "2026-04-05T00:00:00.000Z",
  ],
  [
    "its beginning is left out",
    ["02:30-04:00"],
    "Europe/Berlin",
    "2026-03-29T00:30Z",
    "2026-03-29T01:00:00.000Z",
  ],
  [
    "opens again with the repeated hour",
    ["01:30-02:30"],
    "Europe/Berlin",
    "2026-10-25T00:40Z",
    "2026-10-25T01:00:00.000Z",
  ],
];

for (const [what, windows, zone, moment, expected] of openings)
  test(`next opening, ${what}: ${windows.join(" ")} ${zone} ${moment}`, () => {
    assert.equal(next(windows, zone, moment), expected);
  });

test("a zone that there is not is refused with its name", () => {
  assert.throws(
    () => open(["02:00-05:00"], "Europe/Atlantis", "2026-11-22T03:00Z"),
    (error) => isMusterError(error, "window.invalid") && /Atlantis/.test(error.message),
  );
});

const minutes = fc.integer({ min: 0, max: 1439 });
const clock = minutes.map(
  (minute) => `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`,
);
const days = fc.subarray(["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const, { minLength: 1 });
const window = fc.record({ days, from: clock, to: clock }) as fc.Arbitrary<WeeklyWindow>;
const zone = fc.constantFrom(
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "Australia/Lord_Howe",
  "Asia/Kathmandu",
);
/** Around the clock changes of 2026 too. */
const moment = fc.oneof(
  fc.integer({ min: at("2026-01-01"), max: at("2027-12-31") }),
  fc
    .record({
      change: fc.constantFrom(
        "2026-03-29T01:00Z",
        "2026-10-25T01:00Z",
        "2026-03-08T07:00Z",
        "2026-11-01T06:00Z",
        "2026-04-04T15:00Z",
        "2026-10-03T15:30Z",
      ),
      off: fc.integer({ min: -30 * HOUR, max: 30 * HOUR }),
    })
    .map(({ change, off }) => at(change) + off),
);

test("what the wall clock shows decides", () => {
  const wall = (timeZone: string, now: number) => {
    const parts = new Intl.DateTimeFormat("en-GB", {
      timeZone,
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
    });
    const [, day = "", time = ""] = /^(\w+),? (\d\d:\d\d)$/.exec(parts.format(now)) ?? [];
    return { day: day.toLowerCase(), time };
  };
  const yesterday: Record<string, string> = {
    mon: "sun",
    tue: "mon",
    wed: "tue",
    thu: "wed",
    fri: "thu",
    sat: "fri",
    sun: "sat",
  };
  fc.assert(
    fc.property(window, zone, moment, (one, timeZone, now) => {
      const { day, time } = wall(timeZone, now);
      const begins = (name: string | undefined) => (one.days as string[]).includes(name ?? "");
      const expected =
        one.from < one.to
          ? begins(day) && one.from <= time && time < one.to
          : (begins(day) && one.from <= time) || (begins(yesterday[day]) && time < one.to);
      assert.equal(isOpen([one], timeZone, now), expected);
    }),
    { numRuns: 300 },
  );
});

test("the next opening is open, and nothing between now and it is", () => {
  fc.assert(
    fc.property(fc.array(window, { minLength: 1, maxLength: 3 }), zone, moment, (windows, timeZone, now) => {
      const opening = nextOpening(windows, timeZone, now);
      assert.ok(opening >= now && opening <= now + 15 * 24 * HOUR);
      assert.ok(isOpen(windows, timeZone, opening));
      if (opening > now) assert.ok(!isOpen(windows, timeZone, opening - 1));
      const step = 20 * 60_000;
      for (let moment = now; moment < opening; moment += step) assert.ok(!isOpen(windows, timeZone, moment));
    }),
  );
});
