import assert from "node:assert/strict";
import { test } from "node:test";
import { type AdmissionInput, admit } from "@muster/control-plane/rollouts/admission/admit";
import { regionOf } from "@muster/control-plane/rollouts/admission/blast-radius";
import type { PaceState } from "@muster/control-plane/rollouts/admission/pace";
import type { BlastRadius, Limit } from "@muster/control-plane/rollouts/plan";
import { parseWindow } from "@muster/shared/time/weekly-window";
import fc from "fast-check";
import { type Box, boundless, candidate, placesOf } from "./places.ts";

type Plan = AdmissionInput["plan"];
const START = Date.parse("2026-11-22T12:00Z");
const TICK = 1000;

const site = fc.constantFrom("eu/de/a", "eu/de/b", "eu/fr/a", "eu", "us/ca/a");
const boxes = fc.array(
  fc.record({
    site,
    hardwareClass: fc.constantFrom("x64", "arm64", "jetson"),
    unavailable: fc.boolean(),
    outstanding: fc.constantFrom(0, 0, 2_000_000),
  }),
  { minLength: 1, maxLength: 40 },
);
const fleetOf = (some: readonly Omit<Box, "id">[]): Box[] =>
  some.map((one, index) => ({ id: `d${index}`, ...one }));
const limit: fc.Arbitrary<Limit> = fc.oneof(
  fc.record({ count: fc.integer({ min: 1, max: 10 }) }),
  fc.record({ percent: fc.integer({ min: 1, max: 100 }) }),
);
const blastRadius = fc.record(
  { site: limit, region: limit, hardwareClass: limit, regionDepth: fc.integer({ min: 1, max: 3 }) },
  { requiredKeys: ["regionDepth"] },
) as fc.Arbitrary<BlastRadius & { regionDepth: number }>;
const plan: fc.Arbitrary<Plan> = fc.record({
  pace: fc.option(fc.record({ maximumPerMinute: fc.integer({ min: 1, max: 600 }) })),
  maxInFlight: fc.option(fc.integer({ min: 1, max: 20 })),
  blastRadius,
  uplinkSharePercent: fc.integer({ min: 1, max: 100 }),
  windows: fc.constantFrom<Plan["windows"]>("any", "site", [parseWindow("12:00-13:00")]),
});
const kbps = fc.constantFrom(null, 64, 1000);
const most = (one: Limit | undefined, devices: number) =>
  one === undefined
    ? Number.POSITIVE_INFINITY
    : "count" in one
      ? one.count
      : Math.max(1, Math.floor((devices * one.percent) / 100));

const termsOf = (uplinkKbps: number | null) =>
  Object.fromEntries(["eu/de/a", "eu/de/b"].map((path) => [path, { uplinkKbps }]));

/** Counts by key must be within the limit, where a device changed in this history. */
function requireWithin(
  fleet: readonly Box[],
  changed: ReadonlySet<string>,
  keyOf: (one: Box) => string,
  one: Limit | undefined,
): void {
  for (const key of new Set(fleet.filter(({ id }) => changed.has(id)).map(keyOf))) {
    const there = fleet.filter((other) => keyOf(other) === key);
    const unavailable = there.filter((other) => other.unavailable || changed.has(other.id)).length;
    assert.ok(unavailable <= most(one, there.length), `${key}: ${unavailable} of ${there.length}`);
  }
}

test("over random histories no limit is ever exceeded, and what the limits allow is told in the end", () => {
  const step = fc.record({
    end: fc.nat(),
    wait: fc.integer({ min: 0, max: 3 * TICK }),
    room: fc.integer({ min: 0, max: 8 }),
  });
  fc.assert(
    fc.property(boxes, plan, kbps, fc.array(step, { maxLength: 30 }), (some, limits, uplinkKbps, steps) => {
      const fleet = fleetOf(some).map((one) => ({ ...one, unavailable: false, outstanding: 0 }));
      const changing = new Set<string>();
      const done = new Set<string>();
      let pace: PaceState | null = null;
      let now = START;
      let told = 0;
      const tick = (room: number) => {
        const at = fleet.map((one) => ({
          ...one,
          unavailable: changing.has(one.id),
          outstanding: changing.has(one.id) ? 1_000_000 : 0,
        }));
        const waiting = at.filter(({ id }) => !changing.has(id) && !done.has(id));
        const result = admit({
          ...boundless(at),
          plan: { ...limits, windows: "any" },
          candidates: waiting.map((one) => candidate(one)),
          places: placesOf(at, termsOf(uplinkKbps)),
          pace,
          notified: told,
          succeeded: done.size,
          inFlight: changing.size,
          room,
          now,
        });
        pace = result.pace;
        told += result.admitted.length;
        for (const device of result.admitted) changing.add(device);
        assert.ok(result.admitted.length <= room);
        if (limits.maxInFlight !== null && result.admitted.length > 0)
          assert.ok(changing.size <= limits.maxInFlight);
        const { blastRadius: radius } = limits;
        requireWithin(fleet, changing, (one) => one.site, radius.site);
        requireWithin(fleet, changing, (one) => regionOf(one.site, radius.regionDepth), radius.region);
        requireWithin(fleet, changing, (one) => one.hardwareClass, radius.hardwareClass);
        for (const path of uplinkKbps === null ? [] : ["eu/de/a", "eu/de/b"]) {
          const heap = fleet.filter((one) => one.site === path && changing.has(one.id)).length * 1_000_000;
          const drains = (((uplinkKbps ?? 0) * 1000 * limits.uplinkSharePercent) / 100 / 8) * 60;
          assert.ok(heap <= drains + 1_000_000);
        }
        const elapsed = now - START;
        if (limits.pace) {
          const perTick = (limits.pace.maximumPerMinute * TICK) / 60_000;
          assert.ok(told <= (limits.pace.maximumPerMinute * elapsed) / 60_000 + Math.max(1, perTick) + 1e-6);
        }
        return result;
      };
      const end = (device: string | undefined) => {
        if (device !== undefined && changing.delete(device)) done.add(device);
      };
      for (const { end: which, wait, room } of steps) {
        now += wait;
        tick(room);
        end([...changing][which % Math.max(1, changing.size)]);
      }
      for (let ticks = 0; done.size < fleet.length; ticks += 1) {
        assert.ok(ticks < 100_000, "it comes to an end");
        const { nextAt } = tick(8);
        for (const device of [...changing]) end(device);
        now = Math.max(now + TICK, nextAt ?? 0);
      }
    }),
  );
});

const input = fc
  .record({
    some: boxes,
    limits: plan,
    uplinkKbps: kbps,
    room: fc.integer({ min: 0, max: 40 }),
    inFlight: fc.integer({ min: 0, max: 10 }),
    credit: fc.option(fc.double({ min: 0, max: 20, noNaN: true })),
    busy: fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }),
    bytes: fc.constantFrom(0, 1000, 3_000_000),
    frozen: fc.option(fc.constantFrom("eu", "eu/de", "us/ca/a")),
  })
  .map(({ some, limits, uplinkKbps, room, inFlight, credit, busy, bytes, frozen }): AdmissionInput => {
    const fleet = fleetOf(some);
    return {
      ...boundless(fleet),
      plan: limits,
      candidates: fleet.map((one, index) => candidate(one, { bytes, busyElsewhere: busy[index] ?? false })),
      places: placesOf(fleet, termsOf(uplinkKbps)),
      freezes:
        frozen === null
          ? []
          : [{ id: "f", from: START, to: START + 1, site: frozen, reason: "r", createdBy: "a" }],
      room,
      inFlight,
      pace: credit === null ? null : { credit, at: START },
    };
  });

test("each candidate is admitted or held for one reason, in its order, and the same input gives the same answer", () => {
  fc.assert(
    fc.property(input, (given) => {
      const { admitted, held } = admit(given);
      const chosen = new Set(admitted);
      const devices = given.candidates.map(({ device }) => device);
      assert.deepEqual(
        admitted,
        devices.filter((device) => chosen.has(device)),
      );
      assert.deepEqual(
        [...held.keys()],
        devices.filter((device) => !chosen.has(device)),
      );
      assert.deepEqual(admit(given), admit(given));
    }),
  );
});

test("more room, in the tick, in flight or by the pace, takes nobody out", () => {
  fc.assert(
    fc.property(input, (given) => {
      const narrow = new Set(admit(given).admitted);
      for (const wider of [
        { ...given, room: given.room + 3 },
        { ...given, inFlight: Math.max(0, given.inFlight - 2) },
        { ...given, plan: { ...given.plan, maxInFlight: null } },
        { ...given, plan: { ...given.plan, pace: null } },
      ]) {
        const wide = new Set(admit(wider).admitted);
        for (const device of narrow) assert.ok(wide.has(device));
      }
    }),
  );
});

test("without the limits of places, and without any limit, at least as many are admitted", () => {
  fc.assert(
    fc.property(input, (given) => {
      const { length } = admit(given).admitted;
      const open = {
        ...given,
        plan: {
          ...given.plan,
          blastRadius: { regionDepth: 2 },
          uplinkSharePercent: 100,
          windows: "any" as const,
        },
        places: { ...given.places, siteOf: () => ({ timeZone: "UTC", windows: [], uplinkKbps: null }) },
        freezes: [],
      };
      const { admitted } = admit(open);
      assert.ok(admitted.length >= length);
      const free = admit({ ...open, plan: { ...open.plan, pace: null, maxInFlight: null }, room: 1000 });
      assert.equal(
        free.admitted.length,
        given.candidates.filter(({ busyElsewhere }) => !busyElsewhere).length,
      );
    }),
  );
});

test("held for a local reason or not there at all is the same for those behind", () => {
  fc.assert(
    fc.property(input, (given) => {
      const { admitted, held } = admit(given);
      const without = given.candidates.filter(({ device }) => !held.has(device));
      assert.deepEqual(admit({ ...given, candidates: without }).admitted, admitted);
    }),
  );
});
