import assert from "node:assert/strict";
import { test } from "node:test";
import { deferredUntil } from "@muster/agent/power/deferral";
import type { PowerPolicyPayload } from "@muster/shared/protocol/power-policy";
import fc from "fast-check";

const at = (text: string) => Date.parse(text);
const policy: PowerPolicyPayload = {
  v: 1,
  device: "daaaaaaaaaaaaaaaaaaaa",
  generation: 1,
  issuedAt: 0,
  notAfter: at("2026-12-24T00:00Z"),
  timeZone: "Europe/Berlin",
  windows: [
    { from: "22:00", to: "05:00", kind: "cheap" },
    { days: ["sat"], from: "11:00", to: "15:00", kind: "green" },
  ],
  bestEffortOutside: "defer",
};

const table: [what: string, change: Partial<PowerPolicyPayload> | null, now: string, until: string | null][] =
  [
    ["without a policy", null, "2026-11-22T12:00Z", null],
    ["where outside may run", { bestEffortOutside: "run" }, "2026-11-22T12:00Z", null],
    ["outside of the windows", {}, "2026-11-22T12:00Z", "2026-11-22T21:00Z"],
    ["within a window", {}, "2026-11-22T21:00Z", null],
    ["at the end of a window", {}, "2026-11-23T04:00Z", "2026-11-23T21:00Z"],
    ["in the window of the day", {}, "2026-11-28T12:00Z", null],
    [
      "by the clock of the site, in summer",
      { notAfter: at("2027-12-24T00:00Z") },
      "2027-06-01T19:59Z",
      "2027-06-01T20:00Z",
    ],
    [
      "without a window: as long as the policy holds",
      { windows: [] },
      "2026-11-22T12:00Z",
      "2026-12-24T00:00Z",
    ],
    [
      "the policy ends before the window begins",
      { notAfter: at("2026-11-22T15:00Z") },
      "2026-11-22T12:00Z",
      "2026-11-22T15:00Z",
    ],
    ["after the end of the policy", {}, "2026-12-24T00:00Z", null],
  ];
for (const [what, change, now, until] of table)
  test(`deferral ${what}: ${until ?? "runs"}`, () => {
    const found = deferredUntil(change && { ...policy, ...change }, at(now));
    assert.equal(found === null ? null : new Date(found).toISOString().replace(":00.000Z", "Z"), until);
  });

test("deferral: what is deferred until a moment runs at that moment, and the moment is to come", () => {
  fc.assert(
    fc.property(fc.integer({ min: at("2026-01-01T00:00Z"), max: policy.notAfter }), (now) => {
      const until = deferredUntil(policy, now);
      if (until === null) return;
      assert.ok(until > now && until <= policy.notAfter);
      assert.equal(deferredUntil(policy, until), null);
      assert.equal(deferredUntil(policy, until - 1), until);
    }),
  );
});
