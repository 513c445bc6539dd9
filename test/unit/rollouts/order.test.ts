import assert from "node:assert/strict";
import { test } from "node:test";
import { orderOf } from "@muster/control-plane/rollouts/order";
import fc from "fast-check";

const places = fc.array(
  fc.record({
    site: fc.constantFrom("a", "b", "c", "d"),
    hardwareClass: fc.constantFrom("x64", "arm64", "jetson"),
  }),
  { maxLength: 40 },
);
const numbered = <T>(some: readonly T[]) => some.map((one, index) => ({ id: `d${index}`, ...one }));
const distinct = (some: readonly string[]) => new Set(some).size;

for (const order of ["spread", "random"] as const)
  test(`${order}: each device once, the same for a seed however the devices come`, () => {
    fc.assert(
      fc.property(places, fc.nat(), (some, seed) => {
        const devices = numbered(some);
        const ordered = orderOf(devices, order, seed);
        assert.deepEqual(new Set(ordered), new Set(devices));
        assert.equal(ordered.length, devices.length);
        assert.deepEqual(orderOf(devices.toReversed(), order, seed), ordered);
      }),
    );
  });

test("different seeds give different orders", () => {
  const devices = numbered(Array.from({ length: 20 }, () => ({ site: "a", hardwareClass: "x64" })));
  for (const order of ["spread", "random"] as const)
    assert.equal(distinct([1, 2, 3, 4, 5].map((seed) => JSON.stringify(orderOf(devices, order, seed)))), 5);
});

test("spread: each round takes one of every site that has devices left", () => {
  fc.assert(
    fc.property(places, fc.nat(), (some, seed) => {
      let rest = orderOf(numbered(some), "spread", seed);
      while (rest.length > 0) {
        const sites = distinct(rest.map(({ site }) => site));
        assert.equal(distinct(rest.slice(0, sites).map(({ site }) => site)), sites);
        rest = rest.slice(sites);
      }
    }),
  );
});

test("spread: every class first, then each in proportion to its devices", () => {
  const sites = Array.from({ length: 20 }, (_, index) => `site-${index}`);
  const shares = { x64: 12, arm64: 6, jetson: 2 };
  const devices = numbered(
    sites.flatMap((site) =>
      Object.entries(shares).flatMap(([hardwareClass, count]) =>
        Array.from({ length: count }, () => ({ site, hardwareClass })),
      ),
    ),
  );
  for (let seed = 0; seed < 20; seed += 1) {
    const classes = orderOf(devices, "spread", seed).map(({ hardwareClass }) => hardwareClass);
    assert.equal(distinct(classes.slice(0, 3)), 3);
    for (const [name, share] of Object.entries(shares))
      for (let count = 1; count <= devices.length; count += 1) {
        const taken = classes.slice(0, count).filter((one) => one === name).length;
        assert.ok(Math.abs(taken - (count * share) / 20) <= 2, `${taken} of ${count} are ${name}`);
      }
  }
});

test("spread: a class at few sites comes first, before another takes its site", () => {
  const devices = numbered([
    { site: "a", hardwareClass: "tpu" },
    ...["a", "b", "c"].flatMap((site) => Array.from({ length: 5 }, () => ({ site, hardwareClass: "x64" }))),
  ]);
  for (let seed = 0; seed < 20; seed += 1)
    assert.equal(orderOf(devices, "spread", seed)[0]?.hardwareClass, "tpu");
});

test("random looks at no place: the first device is of the large site most of the time", () => {
  const devices = numbered([
    { site: "small", hardwareClass: "x64" },
    ...Array.from({ length: 99 }, () => ({ site: "large", hardwareClass: "x64" })),
  ]);
  const firstTwo = Array.from({ length: 200 }, (_, seed) => orderOf(devices, "random", seed).slice(0, 2));
  const spread = firstTwo.filter((two) => distinct(two.map(({ site }) => site)) === 2).length;
  assert.ok(spread < 20, `${spread} of 200`);
});
