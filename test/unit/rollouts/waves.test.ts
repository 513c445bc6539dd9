import assert from "node:assert/strict";
import { test } from "node:test";
import type { SelectorSubject } from "@muster/control-plane/fleet/selector";
import { completePlan, type WavePlan } from "@muster/control-plane/rollouts/plan";
import { shareOut } from "@muster/control-plane/rollouts/waves";
import { isMusterError } from "@muster/shared/errors";
import fc from "fast-check";

const release = { name: "vibration", version: "2.0.0" };

const labelsOf = (index: number): Record<string, string> => (index % 2 === 0 ? { even: "" } : {});

const fleet = (sites: readonly string[]): SelectorSubject[] =>
  sites.map((site, index) => ({
    id: `d${String(index).padStart(20, "a")}`,
    name: `box-${index}`,
    site,
    hardwareClass: "linux-x64-cpu",
    status: "active",
    liveness: "online",
    trust: { assurance: "software", verdict: "none", withheld: false },
    agentVersion: null,
    arch: "x64",
    running: null,
    effectiveLabels: labelsOf(index),
    inGroup: () => undefined,
    inAnyGroup: () => false,
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
  ["one canary of the only class", 10, [{ canary: 1 }, { percent: 50 }], [1, 4, 5]],
  ["canaries are counted by percent and count", 10, [{ canary: 3 }, { count: 3 }, { count: 4 }], [3, 1, 6]],
  ["canary adds to the waves before", 10, [{ count: 4 }, { canary: 2 }], [4, 2, 4]],
  ["more canaries than there are devices", 3, [{ canary: 5 }, { percent: 50 }], [3]],
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
  timeouts: { release, timeouts: { total: 0 } },
  onFailure: { release, onFailure: "hope" },
  unknown: { release, wave: [] },
}))
  test(`a plan with a bad ${member.trim()} is refused`, () => {
    assert.throws(
      () => completePlan(plan),
      (error) => isMusterError(error, "rollout.plan-invalid"),
    );
  });

for (const plan of [
  { release, selector: "a=(" },
  { release, waves: [{ selector: "a=(" }] },
])
  test(`a selector that cannot be read is refused: ${JSON.stringify(plan)}`, () => {
    assert.throws(
      () => completePlan(plan),
      (error) => isMusterError(error, "selector.invalid") && /position 3/.test(error.message),
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

interface Place {
  site: string;
  hardwareClass: string;
}

const place = fc.record({
  site: fc.constantFrom("a", "b", "c", "d/e", "d/f"),
  hardwareClass: fc.constantFrom("x64", "arm64", "jetson"),
});
const placed = (places: readonly Place[]): SelectorSubject[] =>
  fleet(places.map(({ site }) => site)).map((device, index) => ({
    ...device,
    hardwareClass: places[index]?.hardwareClass ?? "",
  }));
const distinct = (devices: readonly Place[], key: keyof Place) =>
  new Set(devices.map((device) => device[key])).size;

test("canaries: so many of each class, each class at as many sites as can be", () => {
  fc.assert(
    fc.property(
      fc.array(place, { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 4 }),
      fc.nat(),
      (places, canary, seed) => {
        const devices = placed(places);
        const plan = completePlan({ release, waves: [{ canary }], gate: { success: { minDevices: 1 } } });
        const first = shareOut(devices, plan, seed)
          .filter(({ wave }) => wave === 0)
          .map(({ target }) => target);
        for (const hardwareClass of new Set(places.map((one) => one.hardwareClass))) {
          const all = devices.filter((device) => device.hardwareClass === hardwareClass);
          const chosen = first.filter((device) => device.hardwareClass === hardwareClass);
          assert.equal(chosen.length, Math.min(canary, all.length));
          assert.equal(distinct(chosen, "site"), Math.min(chosen.length, distinct(all, "site")));
        }
      },
    ),
  );
});

test("canaries of different classes are at different sites where there are enough", () => {
  const everywhere = ["a", "b", "c", "d", "e", "f"].flatMap((site) =>
    ["x64", "arm64", "jetson"].map((hardwareClass) => ({ site, hardwareClass })),
  );
  const rare = [...everywhere, { site: "a", hardwareClass: "tpu" }].filter(
    ({ site, hardwareClass }) => hardwareClass !== "jetson" || site < "c",
  );
  for (let seed = 0; seed < 50; seed += 1)
    for (const [places, canary, count] of [
      [everywhere, 2, 6],
      [rare, 1, 4],
    ] as const) {
      const gate = { success: { minDevices: 1 } };
      const plan = completePlan({ release, waves: [{ canary }], order: "random", gate });
      const first = shareOut(placed(places), plan, seed).filter(({ wave }) => wave === 0);
      assert.equal(first.length, count);
      assert.equal(new Set(first.map(({ target }) => target.site)).size, count);
    }
});

test("canaries are those who are there; who is offline fills up", () => {
  const liveness = ["offline", "online", "offline", "late", "offline", "flapping"] as const;
  const devices = evenly(6, 6).map((device, index) => ({ ...device, liveness: liveness[index]! }));
  const first = (canary: number, seed: number) => {
    const plan = completePlan({ release, waves: [{ canary }], gate: { success: { minDevices: 1 } } });
    return shareOut(devices, plan, seed)
      .filter(({ wave }) => wave === 0)
      .filter(({ target }) => target.liveness === "offline").length;
  };
  for (let seed = 0; seed < 20; seed += 1)
    assert.deepEqual(
      [1, 3, 4].map((canary) => first(canary, seed)),
      [0, 0, 1],
    );
});
