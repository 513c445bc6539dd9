import assert from "node:assert/strict";
import { test } from "node:test";
import type { Factor } from "@muster/control-plane/energy/factors";
import { scopesOf } from "@muster/control-plane/energy/scope";
import { Tariff } from "@muster/control-plane/energy/tariff";
import { addUsage, figuresOfUsage, noUsage, priced } from "@muster/control-plane/energy/usage";

const factor = (
  site: string | null,
  from: number,
  costPerKwh: number | null,
  gramsPerKwh: number | null,
): Factor => ({
  id: `${site}-${from}`,
  ...{ site, from, costPerKwh, gramsPerKwh, currency: costPerKwh === null ? null : "EUR" },
  createdBy: "ada",
  createdAt: from,
});

const tariff = new Tariff([
  factor(null, 0, 0.3, 400),
  factor(null, 100, 0.4, null),
  factor("eu", 50, null, 250),
  factor("eu/no", 0, 0.1, 20),
]);

const table: [what: string, site: string, moment: number, cost: number | null, grams: number | null][] = [
  ["the fleet's", "us", 10, 0.3, 400],
  ["from its beginning on", "us", 99, 0.3, 400],
  ["the later one; what it does not tell stays", "us", 100, 0.4, 400],
  ["carbon of the site, price of the fleet", "eu/de", 120, 0.4, 250],
  ["not before the site's begins", "eu/de", 49, 0.3, 400],
  ["the nearest site's", "eu/no/oslo", 120, 0.1, 20],
  ["a name that only begins alike", "eu/nord", 120, 0.4, 250],
  ["of the fleet itself", "", 10, 0.3, 400],
];
for (const [what, site, moment, costPerKwh, gramsPerKwh] of table)
  test(`tariff: ${what}`, () => assert.deepEqual(tariff.at(site, moment), { costPerKwh, gramsPerKwh }));

test("tariff: before anything was told nothing is known", () =>
  assert.deepEqual(new Tariff([factor(null, 100, 1, 1)]).at("eu", 99), {
    costPerKwh: null,
    gramsPerKwh: null,
  }));

test("usage: what is known of a part stands for 1,000 inferences, what is unknown is null", () => {
  const kwh = 3_600_000_000;
  const usage = {
    ...noUsage(),
    inferences: 4_000,
    energyInferences: 2_000,
    energyMj: kwh,
    modelledMj: kwh / 4,
    cpuMs: 8_000,
  };
  assert.deepEqual(figuresOfUsage(priced(usage, { costPerKwh: 0.3, gramsPerKwh: null })), {
    inferences: 4_000,
    energyWh: 1_000,
    knownPercent: 50,
    modelledPercent: 25,
    cpuSeconds: 8,
    cost: 0.3,
    gramsCo2: null,
    per1000: { wh: 500, cpuSeconds: 2, cost: 0.15, gramsCo2: null },
  });
  assert.deepEqual(figuresOfUsage(noUsage()).per1000, {
    wh: null,
    cpuSeconds: null,
    cost: null,
    gramsCo2: null,
  });
  // Half of the energy has a price: 1,000 inferences cost what all of it would.
  const half = addUsage(priced(usage, { costPerKwh: 0.3, gramsPerKwh: null }), usage);
  assert.equal(figuresOfUsage(half).per1000.cost, 0.15);
});

test("policy scopes: groups by name, then the nearest site, then the fleet", () =>
  assert.deepEqual(scopesOf("eu/de/berlin", ["night", "lab"]), [
    "group:lab",
    "group:night",
    "site:eu/de/berlin",
    "site:eu/de",
    "site:eu",
    "fleet",
  ]));
