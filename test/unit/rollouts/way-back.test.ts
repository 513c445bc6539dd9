import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Installation, wayBack } from "@muster/control-plane/rollouts/way-back";
import fc from "fast-check";

const release = (sequence: number) => ({
  name: "vibration",
  version: `${sequence}.0.0`,
  sequence,
  digest: `sha256:${sequence}`,
});
const told = (
  generation: number,
  sequence: number,
  previous: number | null,
  turnedBack = false,
): Installation => ({
  generation,
  turnedBack,
  digest: release(sequence).digest,
  previous: previous === null ? null : release(previous),
});
const bad = (...sequences: number[]) => {
  const digests = new Set(sequences.map((sequence) => release(sequence).digest));
  return (digest: string) => digests.has(digest);
};

describe("the way back of a device", () => {
  for (const [words, previous, history, isBad, expected] of [
    ["what it had before", 2, [told(1, 2, 1)], bad(), 2],
    ["nothing, where it ran nothing", null, [], bad(1, 2), null],
    ["what it had before a bad one", 2, [told(1, 2, 1)], bad(2), 1],
    ["past two bad ones", 3, [told(1, 2, 1), told(2, 3, 2)], bad(2, 3), 1],
    ["to nothing, where it began with a bad one", 2, [told(1, 2, null)], bad(2), null],
    ["past a bad one that was told twice", 2, [told(1, 2, 1), told(3, 2, 2)], bad(2), 1],
    ["the bad one, where nobody knows what it had before", 2, [told(1, 3, 1)], bad(2), 2],
    ["the bad one, where all before is bad and unknown", 2, [told(1, 2, 1)], bad(1, 2), 2],
    ["past one whose rollout was sent back", 2, [told(1, 2, 1, true)], bad(), 1],
    ["one that was told again after it was sent back", 2, [told(1, 2, 1, true), told(3, 2, 1)], bad(), 2],
    ["nothing from a later time", 2, [told(1, 2, 1), told(9, 2, 7)], bad(2), 1],
  ] as const)
    it(`is ${words}`, () => {
      const from = previous === null ? null : release(previous);
      assert.deepEqual(
        wayBack(from, 5, () => history, isBad),
        expected === null ? null : release(expected),
      );
    });

  it("ends, and gives something bad only where it finds nothing else", () => {
    const sequence = fc.nat({ max: 4 });
    const history = fc.array(fc.tuple(fc.nat({ max: 9 }), sequence, fc.option(sequence)));
    fc.assert(
      fc.property(history, fc.uniqueArray(sequence), sequence, (each, some, previous) => {
        const installations = each.map((one) => told(...one));
        const isBad = bad(...some);
        const back = wayBack(release(previous), 10, () => installations, isBad);
        if (back !== null && isBad(back.digest)) assert.deepEqual(back, release(previous));
        if (!isBad(release(previous).digest)) assert.deepEqual(back, release(previous));
      }),
    );
  });
});
