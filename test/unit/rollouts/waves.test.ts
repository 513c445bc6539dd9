import assert from "node:assert/strict";
import { test } from "node:test";
import { completePlan, type WavePlan } from "@muster/control-plane/rollouts/plan";
import type { SelectorSubject } from "@muster/control-plane/rollouts/selector";
import { shareOut } from "@muster/control-plane/rollouts/waves";
import { isMusterError } from "@muster/shared/errors";
import fc from "fast-check";

const release = { name: "vibration", version: "2.0.0" };

const fleet = (sites: readonly string[]): SelectorSubject[] =>
  sites.map((site, index) => ({
    id: `d${String(index).padStart(20, "a")}`,
    name: `box-${index}`,
    site,
    hardwareClass: "linux-x64-cpu",
    labels: index % 2 === 0 ? { even: "" } : {},
  }));

const evenly = (count: number, sites: number) =>
  fleet(Array.from({ length: count }, (_, index) => `site-${index % sites}`));

function sizes(devices: SelectorSubject[], waves: WavePlan[], minDevices = 1, seed = 1): number[] {
  const plan = completePlan({ release, waves, gate: { success: { minDevices } } });
  const counts: number[] = [];
  for (const { wave } of shareOut(devices, plan, seed)) counts[wave] = (counts[wave] ?? 0) + 1;
  return counts;
}

const table: [string, number, WavePlan[], number[]][] = [
  ["no waves at all", 5, [], [5]],
  [
    "percent, rounded up and cumulative",
    10,
    [{ percent: 5 }, { percent: 25 }, { percent: 50 }],
    [1, 2, 2, 5],
  ],
  ["percent of a fleet that divides evenly is not rounded up", 375, [{ percent: 8.8 }], [33, 342]],
  ["count, cumulative", 10, [{ count: 2 }, { count: 5 }], [2, 3, 5]],
  ["a full percentage leaves no rest", 10, [{ percent: 20 }, { percent: 100 }], [2, 8]],
  ["a wave that adds nobody is left out", 3, [{ count: 1 }, { percent: 10 }, { percent: 50 }], [1, 1, 1]],
  ["a count beyond the fleet takes all of it", 3, [{ count: 9 }], [3]],
  ["count and percent count the same devices", 10, [{ count: 3 }, { percent: 50 }], [3, 2, 5]],
  ["a selector takes its own, percent counts them", 10, [{ selector: "even" }, { percent: 60 }], [5, 1, 4]],
  ["a selector that matches nobody is left out", 4, [{ selector: "even,name=none" }, { count: 1 }], [1, 3]],
];

for (const [what, devices, waves, expected] of table)
  test(what, () => {
    assert.deepEqual(sizes(evenly(devices, 3), waves), expected);
  });

test("a wave before the last needs as many devices as its gate asks for", () => {
  assert.throws(
    () => sizes(evenly(10, 3), [{ count: 2 }], 3),
    (error) => isMusterError(error, "rollout.plan-invalid") && /Wave 1 has 2 devices/.test(error.message),
  );
  assert.deepEqual(sizes(evenly(10, 3), [{ count: 8 }], 3), [8, 2], "the last one has what is left");
});

for (const waves of [
  [{ percent: 50 }, { percent: 50 }],
  [{ count: 5 }, { percent: 9 }, { count: 4 }],
])
  test(`${JSON.stringify(waves)} does not grow and is refused`, () => {
    assert.throws(
      () => completePlan({ release, waves }),
      (error) => isMusterError(error, "rollout.plan-invalid") && /cumulative/.test(error.message),
    );
  });

for (const [member, plan] of Object.entries({
  release: {},
  waves: { release, waves: [{ percent: 0 }] },
  "waves ": { release, waves: [{ percent: 10, count: 3 }] },
  gate: { release, gate: { success: { minPercent: 101 } } },
  deviceTimeoutSeconds: { release, deviceTimeoutSeconds: 0 },
  onFailure: { release, onFailure: "hope" },
  unknown: { release, wave: [] },
  selector: { release, selector: "a=" + "(" },
}))
  test(`a plan with a bad ${member.trim()} is refused`, () => {
    assert.throws(
      () => completePlan(plan),
      (error) => isMusterError(error, "rollout.plan-invalid"),
    );
  });

test("each target is in one wave, in an order that the seed fixes and that is spread over sites", () => {
  const sites = fc.array(fc.constantFrom("a", "b", "c", "d/e"), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(sites, fc.nat(), fc.integer({ min: 1, max: 40 }), (places, seed, count) => {
      const devices = fleet(places);
      const plan = completePlan({ release, waves: [{ count }] });
      const members = shareOut(devices, plan, seed);
      assert.deepEqual(
        members.map(({ position }) => position),
        devices.map((_, index) => index),
      );
      assert.equal(new Set(members.map(({ target }) => target.id)).size, devices.length);
      assert.deepEqual(members, shareOut(devices.toReversed(), plan, seed));
      const canaries = members.slice(0, count).map(({ target }) => target.site);
      const expected = Math.min(new Set(places).size, canaries.length);
      assert.equal(new Set(canaries).size, expected, "as many sites as can be");
    }),
  );
});
