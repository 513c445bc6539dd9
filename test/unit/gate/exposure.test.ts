import assert from "node:assert/strict";
import { test } from "node:test";
import { membersOf } from "@muster/control-plane/rollouts/exposure/arms";
import { newestClosed, roundsOf } from "@muster/control-plane/rollouts/exposure/blocks";
import { DeviceExposure } from "@muster/control-plane/rollouts/exposure/device-exposure";
import {
  COMPARED,
  CRASHES,
  FAILURES,
  INFERENCES,
  latencyOf,
  SERVING_MS,
  VOIDED_MS,
} from "@muster/control-plane/rollouts/exposure/sums";
import { total } from "@muster/shared/stats/histogram";
import fc from "fast-check";
import { BLOCK_MS, counters, Fleet, member, NEW, OLD, OPENED_AT } from "./heartbeats.ts";

test("block lengths follow the soak", () => {
  for (const [soakSeconds, want] of [
    [0, [2_000]],
    [1, [2_000]],
    [60, [60_000]],
    [600, [300_000]],
    [3600, [300_000, 2_400_000]],
    [86_400, [300_000, 2_400_000, 19_200_000]],
    [30 * 86_400, [300_000, 2_400_000, 19_200_000]],
  ] as const)
    assert.deepEqual(roundsOf({ soakSeconds }), want);
});

test("a block counts as over once late heartbeats of it are stored", () => {
  for (const [now, want] of [
    [OPENED_AT, -1],
    [OPENED_AT + BLOCK_MS + 1999, -1],
    [OPENED_AT + BLOCK_MS + 2000, 0],
    [OPENED_AT + 3 * BLOCK_MS + 2000, 2],
  ] as const)
    assert.equal(newestClosed(now, OPENED_AT, BLOCK_MS), want);
});

test("who counts: told devices of the open wave, untold ones of later waves", () => {
  const record = (
    device: string,
    wave: number,
    status: Parameters<typeof membersOf>[0][number]["status"],
  ) => ({
    device,
    hardwareClass: "x",
    wave,
    status,
  });
  const members = membersOf(
    [
      record("earlier", 0, "succeeded"),
      record("told", 1, "told"),
      record("retrying", 1, "retrying"),
      record("done", 1, "succeeded"),
      record("failed", 1, "failed"),
      record("not-told-yet", 1, "waiting"),
      record("gone", 1, "released"),
      record("later", 2, "waiting"),
      record("held", 3, "held"),
      record("taken", 2, "superseded"),
    ],
    1,
  );
  assert.deepEqual(
    members.map(({ device, arm }) => `${device} ${arm}`),
    [
      "told updated",
      "retrying updated",
      "done updated",
      "failed updated",
      "not-told-yet untold",
      "later control",
      "held control",
    ],
  );
});

test("a device is waited for until its first block was looked at", () => {
  const fleet = new Fleet([member("u", "updated")]);
  const at = (block: number) => OPENED_AT + block * BLOCK_MS;
  assert.equal(fleet.exposures.awaited(-1, at(2)), 0);
  // At the very start of a block: the next one is over two block lengths later, and looked at after that.
  fleet.beat("u", at(2), [counters(NEW)]);
  fleet.beat("u", at(3.5), [counters(NEW)]);
  assert.equal(fleet.exposures.awaited(-1, at(4) + 2500), 1);
  assert.equal(newestClosed(at(4) + 2500, OPENED_AT, BLOCK_MS), 3);
  assert.equal(fleet.exposures.awaited(3, at(4) + 2500), 0);
});

test("what a device of the wave measures before it is told counts nowhere, and has no record", () => {
  const fleet = new Fleet([member("u", "untold")]);
  fleet.beat("u", OPENED_AT + 1, [counters(OLD), counters(NEW)]);
  assert.equal(fleet.exposures.device("u"), undefined);
  assert.deepEqual(fleet.exposures.setMembers([member("u", "updated")]), []);
  fleet.beat("u", OPENED_AT + 2, [counters(OLD), counters(NEW, { inferences: 7 })]);
  assert.equal(fleet.exposures.arms().get("linux-x64")?.updated[INFERENCES], 7);
});

test("each arm takes the entries of its release only", () => {
  const fleet = new Fleet([member("u", "updated"), member("c", "control")]);
  const both = [
    counters(OLD, { inferences: 70 }),
    counters(NEW, { inferences: 30 }),
    counters(null, { inferences: 5 }),
  ];
  fleet.beat("u", OPENED_AT + 1, both);
  fleet.beat("c", OPENED_AT + 1, both);
  fleet.beat("stranger", OPENED_AT + 1, both);
  fleet.beat("c", OPENED_AT - 1, both);
  const arms = fleet.exposures.arms().get("linux-x64");
  assert.equal(arms?.updated[INFERENCES], 30);
  assert.equal(arms?.control[INFERENCES], 75);
});

test("a crash voids an hour, but no more than the device served", () => {
  const fleet = new Fleet([member("u", "updated")]);
  fleet.beat("u", OPENED_AT, [counters(NEW, { servingMs: 1_800_000, crashes: 1 })]);
  assert.equal(fleet.exposures.arms().get("linux-x64")?.updated[VOIDED_MS], 1_800_000);
  fleet.beat("u", OPENED_AT + 1, [counters(NEW, { servingMs: 7_200_000 })]);
  assert.equal(fleet.exposures.arms().get("linux-x64")?.updated[VOIDED_MS], 3_600_000);
});

test("a histogram with other edges is left out and the rest counts", () => {
  const fleet = new Fleet([member("u", "updated")]);
  const entry = counters(NEW, { inferences: 40, failures: 50 });
  fleet.beat("u", OPENED_AT, [{ ...entry, latency: { edges: [1], counts: [20, 20] } }]);
  const sums = fleet.exposures.device("u")?.totals;
  assert.ok(sums);
  assert.equal(total(latencyOf(sums)), 0);
  assert.deepEqual([sums[INFERENCES], sums[FAILURES]], [40, 40]);
});

test("the first block of a device is the first that began after its first report and has one", () => {
  const fleet = new Fleet([member("u", "updated")]);
  const at = (block: number) => OPENED_AT + block * BLOCK_MS;
  const first = () => fleet.exposures.device("u")?.firstBlock(0);
  fleet.beat("u", at(2.5), [counters(NEW)]);
  assert.equal(first(), -1);
  assert.equal(fleet.exposures.awaited(-1, at(3)), 1);
  assert.equal(fleet.exposures.awaited(-1, at(4.6)), 0, "nobody is waited for for ever");
  fleet.beat("u", at(2.9), [counters(NEW)]);
  assert.equal(first(), -1);
  fleet.beat("u", at(4.1), [counters(NEW, { inferences: 33 })]);
  fleet.beat("u", at(5.1), [counters(NEW)]);
  assert.equal(first(), 4);
  assert.equal(fleet.exposures.block(0, 4)[0]?.sums[INFERENCES], 33);
  assert.equal(fleet.exposures.block(0, 3).length, 0);
});

const beat = fc.record({
  device: fc.constantFrom("u1", "u2", "c1", "c2"),
  at: fc.integer({ min: 0, max: 10 * BLOCK_MS }),
  release: fc.constantFrom(NEW, OLD, null),
  inferences: fc.integer({ min: 0, max: 1000 }),
  crashes: fc.integer({ min: 0, max: 2 }),
});

test("sums of an arm are those of its heartbeats, whoever comes and goes", () => {
  const members = [
    member("u1", "updated"),
    member("u2", "updated"),
    member("c1", "control"),
    member("c2", "control"),
  ];
  fc.assert(
    fc.property(fc.array(beat, { maxLength: 40 }), fc.subarray(members), (beats, left) => {
      const fleet = new Fleet(members);
      for (const { device, at, release, ...measured } of beats.toSorted((a, b) => a.at - b.at))
        fleet.beat(device, OPENED_AT + at, [counters(release, measured)]);
      fleet.exposures.setMembers(left);
      for (const arm of ["updated", "control"] as const) {
        const devices = new Set(left.filter((one) => one.arm === arm).map(({ device }) => device));
        const counted = beats.filter(
          ({ device, release }) => devices.has(device) && (release === NEW) === (arm === "updated"),
        );
        const sums = fleet.exposures.arms().get("linux-x64")?.[arm];
        const want = (of: (one: (typeof beats)[number]) => number) =>
          counted.reduce((sum, one) => sum + of(one), 0);
        assert.equal(
          sums?.[INFERENCES] ?? 0,
          want(({ inferences }) => inferences),
        );
        assert.equal(
          sums?.[CRASHES] ?? 0,
          want(({ crashes }) => crashes),
        );
        assert.equal(
          sums?.[SERVING_MS] ?? 0,
          want(() => 30_000),
        );
      }
    }),
  );
});

test("an exposure is the same after it was stored", () => {
  fc.assert(
    fc.property(fc.array(beat, { minLength: 1, maxLength: 20 }), (beats) => {
      const grid = { openedAt: OPENED_AT, roundsMs: [BLOCK_MS, 8 * BLOCK_MS] };
      const exposure = beats.reduce(
        (sums, { at, release, ...measured }) => sums.with([counters(release, measured)], OPENED_AT + at),
        DeviceExposure.empty(grid),
      );
      const read = DeviceExposure.fromBytes(grid, exposure.toBytes());
      assert.deepEqual(read?.toBytes(), exposure.toBytes());
      assert.equal(
        DeviceExposure.fromBytes({ ...grid, roundsMs: [BLOCK_MS] }, exposure.toBytes()),
        undefined,
      );
    }),
  );
});

test("a device in the shadow serves nothing of the release: its first block begins once it does", () => {
  const grid = { openedAt: OPENED_AT, roundsMs: [BLOCK_MS] };
  const inShadow = counters(NEW, { inferences: 0, servingMs: 0, shadow: { compared: 10, agreed: 9 } });
  const waiting = DeviceExposure.empty(grid)
    .with([inShadow], OPENED_AT + 0.5 * BLOCK_MS)
    .with([inShadow], OPENED_AT + 1.5 * BLOCK_MS);
  assert.deepEqual([waiting.since, waiting.firstBlock(0)], [0, -1]);
  assert.equal(waiting.totals[COMPARED], 20);
  const serving = waiting
    .with([counters(NEW)], OPENED_AT + 2.5 * BLOCK_MS)
    .with([counters(NEW)], OPENED_AT + 3.5 * BLOCK_MS);
  assert.deepEqual([serving.since, serving.firstBlock(0)], [OPENED_AT + 2.5 * BLOCK_MS, 3]);
  assert.equal(serving.block(0, 3)?.[INFERENCES], 100);
});
