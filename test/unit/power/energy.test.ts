import assert from "node:assert/strict";
import { test } from "node:test";
import { energyRate } from "@muster/agent/power/energy";
import { raplMillijoules } from "@muster/agent/power/sensors/rapl";

const owner = { idleWatts: null, wattsPerCore: null };
const rates: [
  what: string,
  energyMj: number | null,
  busyMs: number,
  rules: object,
  expected: [number | null, string | null],
][] = [
  ["measured", 20_000, 4_000, {}, [5, "measured"]],
  ["above the idle draw", 20_000, 4_000, { idleWatts: 1 }, [2.5, "measured"]],
  ["less than the idle draw is nothing", 20_000, 4_000, { idleWatts: 3 }, [0, "measured"]],
  ["measured goes before modelled", 20_000, 4_000, { wattsPerCore: 9 }, [5, "measured"]],
  ["modelled", null, 4_000, { wattsPerCore: 9 }, [9, "modelled"]],
  ["unknown", null, 4_000, {}, [null, null]],
  ["nothing ran: nothing to share it by", 20_000, 0, {}, [null, null]],
];
for (const [what, energyMj, busyMs, rules, [mjPerCpuMs, basis]] of rates)
  test(`energy, ${what}`, () =>
    assert.deepEqual(energyRate({ energyMj }, 10_000, busyMs, { ...owner, ...rules }), {
      mjPerCpuMs,
      basis,
    }));

const counter = (microjoules: number, range = 1_000_000) =>
  new Map([["intel-rapl:0", { microjoules, range }]]);
type Counters = Map<string, { microjoules: number; range: number }>;
const wraps: [what: string, before: Counters, after: Counters, expected: number | null][] = [
  ["grows", counter(10_000), counter(25_000), 15],
  ["stands still", counter(10_000), counter(10_000), 0],
  ["wraps around", counter(990_000), counter(5_000), 15],
  ["wraps around to 0", counter(1_000_000), counter(0), 0],
  ["went back without telling its range", counter(990_000, 0), counter(5_000, 0), null],
  ["is new", new Map(), counter(5_000), null],
  ["is gone", counter(5_000), new Map(), null],
];
for (const [what, before, after, expected] of wraps)
  test(`energy counter that ${what}: ${expected} mJ`, () =>
    assert.equal(raplMillijoules(before, after), expected));
