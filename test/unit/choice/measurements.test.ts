import assert from "node:assert/strict";
import { test } from "node:test";
import type { Measurement } from "@muster/agent/choice/measurement";
import { Measurements } from "@muster/agent/choice/measurements";
import Database from "better-sqlite3";

const measured: Measurement = {
  measured: {
    loadMs: 5,
    p50Ms: 1.5,
    p95Ms: 2,
    cpuMs: 1.25,
    agreement: 1,
    placement: null,
    memoryMiB: 30,
  },
};
const crashed: Measurement = {
  failure: { code: "runner.crashed", message: "It was ended by SIGSEGV." },
  step: "load",
};
const DAY = 86_400_000;

test("keeps numbers for good, and failures for a day in which the box may be mended", () => {
  const kept = new Measurements(new Database(":memory:"));
  kept.keep("numbers", measured, 1000);
  kept.keep("crash", crashed, 1000);
  assert.deepEqual(kept.find("numbers", 1000 + 400 * DAY), measured);
  assert.deepEqual(kept.find("crash", 1000 + DAY), crashed);
  assert.equal(kept.find("crash", 1001 + DAY), undefined);
  assert.equal(kept.find("other", 1000), undefined);
});

test("a failure does not hold for ever when the clock was set back", () => {
  const kept = new Measurements(new Database(":memory:"));
  kept.keep("crash", crashed, 10 * DAY);
  assert.equal(kept.find("crash", DAY), undefined);
});

test("keeps 256 measurements, the newest ones", () => {
  const kept = new Measurements(new Database(":memory:"));
  for (let index = 0; index < 300; index++) kept.keep(`key-${index}`, measured, index);
  const there = Array.from({ length: 300 }, (_, index) => kept.find(`key-${index}`, 300) !== undefined);
  assert.equal(there.filter(Boolean).length, 256);
  assert.deepEqual([there[0], there[43], there[44], there[299]], [false, false, true, true]);
});
