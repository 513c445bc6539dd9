import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pollDelay } from "@muster/agent/link/document-poll";

describe("poll delay", () => {
  for (const [failures, random, expected] of [
    [0, 0, 30_000],
    [0, 1, 90_000],
    [0, 0.5, 60_000],
    [2, 0.5, 240_000],
    [50, 0.5, 960_000],
  ] as const)
    it(`${failures} failures, random ${random}`, () =>
      assert.equal(pollDelay(60_000, failures, random), expected));
});
