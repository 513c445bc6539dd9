import assert from "node:assert/strict";
import { test } from "node:test";
import { isMusterError } from "@muster/shared/errors";
import { validate } from "@muster/shared/protocol/validate";
import { parseWindow, printWindow, WEEKDAYS, WeeklyWindow } from "@muster/shared/time/weekly-window";
import fc from "fast-check";

const read: [text: string, window: WeeklyWindow, printed: string][] = [
  ["02:00-05:00", { from: "02:00", to: "05:00" }, "02:00-05:00"],
  [
    "mon-fri 22:00-05:00",
    { days: ["mon", "tue", "wed", "thu", "fri"], from: "22:00", to: "05:00" },
    "mon-fri 22:00-05:00",
  ],
  ["sat,sun 00:00-24:00", { days: ["sat", "sun"], from: "00:00", to: "00:00" }, "sat,sun 00:00-24:00"],
  [
    " SUN,  Sat   20:00 - 00:00 ",
    { days: ["sat", "sun"], from: "20:00", to: "00:00" },
    "sat,sun 20:00-24:00",
  ],
  [
    "fri-mon 01:00-02:00",
    { days: ["mon", "fri", "sat", "sun"], from: "01:00", to: "02:00" },
    "mon,fri-sun 01:00-02:00",
  ],
  [
    "mon-wed,fri 01:00-02:00",
    { days: ["mon", "tue", "wed", "fri"], from: "01:00", to: "02:00" },
    "mon-wed,fri 01:00-02:00",
  ],
  ["mon-sun 01:00-02:00", { from: "01:00", to: "02:00" }, "01:00-02:00"],
  ["tue-tue 12:00-12:00", { days: ["tue"], from: "12:00", to: "12:00" }, "tue 12:00-12:00"],
];

for (const [text, window, printed] of read)
  test(`"${text}"`, () => {
    assert.deepEqual(parseWindow(text), window);
    assert.equal(printWindow(window), printed);
  });

for (const text of [
  "",
  "mon",
  "mon-fri",
  "always",
  "2:00-5:00",
  "02:00",
  "24:00-02:00",
  "02:00-24:30",
  "25:00-26:00",
  "mon 02:00-05:00 tue",
  "montag 02:00-05:00",
  "mon, 02:00-05:00",
  "mon-wed-fri 02:00-05:00",
  "- 02:00-05:00",
  "02:00-05:00,06:00-07:00",
  "mon 02:00-05:00\nDROP",
  "x".repeat(10_000),
])
  test(`"${text.slice(0, 30)}" is refused with what is wrong`, () => {
    assert.throws(
      () => parseWindow(text),
      (error) => isMusterError(error, "window.invalid") && error.message.length < 300,
    );
  });

test("what is printed is read as the same window, and is one that the schema takes", () => {
  const time = fc
    .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
    .map((parts) => parts.map((part) => String(part).padStart(2, "0")).join(":"));
  const days = fc.subarray([...WEEKDAYS], { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(fc.record({ days, from: time, to: time }, { requiredKeys: ["from", "to"] }), (window) => {
      const again = parseWindow(printWindow(window));
      assert.deepEqual(again, { ...window });
      assert.deepEqual(validate(WeeklyWindow, again, "request.invalid"), again);
    }),
  );
});
