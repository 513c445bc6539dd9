import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMoment } from "@muster/control-plane/cli/moment";
import { isMusterError } from "@muster/shared/errors";

const NOW = Date.parse("2026-11-22T12:00:00Z");

for (const [text, moment] of [
  ["now", "2026-11-22T12:00:00Z"],
  ["+90s", "2026-11-22T12:01:30Z"],
  ["+2h", "2026-11-22T14:00:00Z"],
  ["+7d", "2026-11-29T12:00:00Z"],
  ["2026-12-24T18:00Z", "2026-12-24T18:00:00Z"],
  ["2026-12-24T18:00+01:00", "2026-12-24T17:00:00Z"],
  ["2026-12-24T18:00:30.5-08:00", "2026-12-25T02:00:30.500Z"],
] as const)
  test(`${text} is ${moment}`, () => {
    assert.equal(parseMoment(text, NOW, "--to"), Date.parse(moment));
  });

for (const text of [
  "",
  "2h",
  "+",
  "+2",
  "+2w",
  "-2h",
  "tomorrow",
  "2026-12-24",
  "2026-12-24T18:00",
  "2026-13-24T18:00Z",
  "2026-12-24T25:00Z",
  "1766600000000",
])
  test(`"${text}" is refused with the option and the form`, () => {
    assert.throws(
      () => parseMoment(text, NOW, "--to"),
      (error) => isMusterError(error, "settings.invalid") && /--to .*\+2h/.test(error.message),
    );
  });
