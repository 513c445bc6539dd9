import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Accumulator } from "@muster/control-plane/health/accumulator";
import { addAgent, addInference } from "@muster/control-plane/health/beat-delta";
import { noSums } from "@muster/control-plane/health/sums";
import { windowOf } from "@muster/control-plane/health/window";
import { heartbeat, inference } from "../../support/fleet/messages.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** Crashes of the window after heartbeats that tell of so much time and so many crashes. */
const crashesOf = (...beats: [operationalMs: number, crashes: number][]): number => {
  const accumulator = new Accumulator();
  for (const [operationalMs, crashes] of beats) {
    const agent = { operationalMs, connectedMs: 0, syncSucceeded: 1, syncFailed: 0 };
    const sums = noSums();
    addAgent(sums, heartbeat("session-1", 1, { agent }));
    addInference(sums, inference({ crashes }), null);
    accumulator.add(sums);
  }
  return windowOf(accumulator, true).crashes;
};

describe("window of a device", () => {
  const table: [what: string, beats: [number, number][], crashes: number][] = [
    ["crashes between two heartbeats count", [[MINUTE / 2, 3]], 3],
    [
      "those of a full window count",
      Array.from({ length: 20 }, () => [MINUTE / 2, 1] as [number, number]),
      20,
    ],
    ["a crash a day of a week offline is no loop", [[7 * DAY, 7]], 0],
    ["a loop that goes on for a week offline is one", [[7 * DAY, 7 * 24 * 60]], 10],
    [
      "one after an hour offline",
      [
        [60 * MINUTE, 12],
        [MINUTE / 2, 0],
      ],
      2,
    ],
  ];
  for (const [what, beats, crashes] of table) test(what, () => assert.equal(crashesOf(...beats), crashes));

  test("nothing heard is nothing known", () => {
    assert.deepEqual([windowOf(undefined, true).heartbeats, windowOf(undefined, true).p95Ms], [0, null]);
  });
});
