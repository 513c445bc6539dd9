import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { EnergyFactors } from "@muster/control-plane/energy/factors";
import { EnergyReports } from "@muster/control-plane/energy/report";
import { HeartbeatLedger } from "@muster/control-plane/health/ledger";
import { openStores, type Stores } from "@muster/control-plane/storage/database";
import { isMusterError } from "@muster/shared/errors";
import type { InferenceCounters } from "@muster/shared/protocol/messages";
import { heartbeat, inference, release } from "../../support/fleet/messages.ts";

const HOUR = 3_600_000;
const WH = 3_600_000;
const START = Date.UTC(2026, 10, 22, 10, 2);

const places = new Map([
  ["oven", { site: "eu/de", hardwareClass: "x64-cpu" }],
  ["press", { site: "eu/no", hardwareClass: "arm64-cpu" }],
  ["hub", { site: "eu", hardwareClass: "x64-cpu" }],
]);
const digests = [release("1.0.0", 1).digest, release("2.0.0", 2).digest];

let directory = "";
let stores: Stores;
let ledger: HeartbeatLedger;
let factors: EnergyFactors;
let reports: EnergyReports;
let clock = START;

const open = async () => {
  stores = await openStores(directory);
  ledger = await HeartbeatLedger.open(stores, {
    placeOf: (id) => places.get(id),
    isRelease: (digest) => digests.includes(digest as `sha256:${string}`),
    now: () => clock,
  });
  factors = new EnergyFactors(stores.control, () => clock);
  reports = new EnergyReports(ledger, factors, stores.controlReader, () => clock);
};
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "muster-energy-"));
  clock = START;
  await open();
});
afterEach(async () => {
  await stores.close();
  await rm(directory, { recursive: true });
});

let beats = 0;
const tell = async (
  device: string,
  more: Partial<InferenceCounters>,
  energy: "measured" | "modelled" = "measured",
) => {
  beats += 1;
  const { health } = heartbeat("s", 1);
  const beat = heartbeat("session", beats, {
    inference: [inference(more)],
    health: { ...health, power: { heat: "normal", draw: "normal", watts: null, energy } },
  });
  const fresh = ledger.select([{ kind: "heartbeat", device, beat, receivedAt: clock }]);
  await stores.writeTelemetry((db) => ledger.store(db, fresh));
  ledger.stored(fresh);
};
const pass = async (ms: number) => {
  clock += ms;
  await ledger.tick();
};
const rowsOf = async (by: "site" | "release" | "class") => {
  const report = await reports.report(by, START - HOUR, clock + 1);
  const line = ({ energyWh, cost, gramsCo2 }: (typeof report)["total"]) =>
    [energyWh, cost, gramsCo2].map((value) => (value === null ? null : Math.round(value * 1e6) / 1e6));
  return {
    rows: Object.fromEntries(report.rows.map((row) => [row.name, line(row)])),
    total: line(report.total),
    report,
  };
};

test("report: whoever else waits gets a turn between two sites", async () => {
  for (const device of places.keys()) await tell(device, { inferences: 10 });
  let turns = 0;
  let ended = false;
  const count = () => {
    turns += 1;
    if (!ended) setImmediate(count);
  };
  setImmediate(count);
  await reports.report("site", START - HOUR, clock + 1);
  ended = true;
  assert.ok(turns >= 4, `${turns} turns, and three sites below the fleet`);
});

test("report: each site pays by its own factors, and those above pay what is below them", async () => {
  await factors.add({ from: 0, costPerKwh: 300, currency: "EUR", gramsPerKwh: 400 }, "ada");
  await factors.add({ site: "eu/no", from: 0, costPerKwh: 100, currency: "EUR", gramsPerKwh: 20 }, "ada");
  await tell("oven", { inferences: 1_000, energyMj: 2 * WH });
  await tell("press", { inferences: 1_000, energyMj: 4 * WH });
  await tell("hub", { inferences: 500, energyMj: WH }, "modelled");
  const expected = {
    eu: [7, 0.2 * 3 + 0.1 * 4 + 0.1 * 3, 0.4 * 3 + 0.02 * 4],
    "eu/no": [4, 0.4, 0.08],
    "eu/de": [2, 0.6, 0.8],
  };
  // 3 Wh at 0.3 a Wh and 4 Wh at 0.1.
  const all = [7, 1.3, 1.28];
  const check = async () => {
    const { rows, total, report } = await rowsOf("site");
    assert.deepEqual(rows["eu/no"], expected["eu/no"]);
    assert.deepEqual(rows["eu/de"], expected["eu/de"]);
    assert.deepEqual(rows.eu, all);
    assert.deepEqual(total, all);
    assert.deepEqual([report.currency, report.rows[0]?.name], ["EUR", "eu"]);
    assert.equal(report.total.per1000.cost?.toFixed(6), (1.3 / 2.5).toFixed(6));
    assert.equal(report.total.modelledPercent?.toFixed(3), ((100 * 1) / 7).toFixed(3));
  };
  await check();
  await pass(2 * HOUR);
  await check();
  await stores.close();
  await open();
  await check();
});

test("report: a price holds from its moment on, for releases and classes as the mean of the fleet", async () => {
  await factors.add({ from: START - HOUR, costPerKwh: 100, currency: "EUR" }, "ada");
  await tell("oven", { inferences: 10, energyMj: WH });
  await pass(HOUR);
  await factors.add({ costPerKwh: 500, currency: "EUR" }, "ada");
  await pass(HOUR);
  await tell("oven", { inferences: 10, energyMj: WH });
  await tell("press", { inferences: 10, energyMj: WH, release: digests[1] as `sha256:${string}` });
  assert.deepEqual((await rowsOf("site")).total, [3, 0.1 + 1, null]);
  const byClass = await rowsOf("class");
  assert.deepEqual(byClass.rows, { "x64-cpu": [2, 0.6, null], "arm64-cpu": [1, 0.5, null] });
  const byRelease = await rowsOf("release");
  assert.deepEqual(byRelease.rows, { [digests[0]!]: [2, 0.6, null], [digests[1]!]: [1, 0.5, null] });
});

test("report: without factors or energy it tells what there is", async () => {
  await tell("oven", { inferences: 2_000, energyMj: null, cpuMs: 6_000 });
  const { report } = await rowsOf("site");
  const { energyWh, knownPercent, cost, per1000 } = report.total;
  assert.deepEqual(
    [energyWh, knownPercent, cost, per1000.cpuSeconds, report.currency],
    [null, 0, null, 3, null],
  );
});

const refusals: [what: string, ask: () => Promise<unknown>][] = [
  ["a factor that tells nothing", () => factors.add({}, "ada")],
  ["a price without a currency", () => factors.add({ costPerKwh: 1 }, "ada")],
  [
    "a second currency",
    async () => {
      await factors.add({ costPerKwh: 1, currency: "EUR" }, "ada");
      await factors.add({ costPerKwh: 1, currency: "NOK" }, "ada");
    },
  ],
  ["less than no carbon", () => factors.add({ gramsPerKwh: -1 }, "ada")],
  ["a report that ends before it begins", () => reports.report("site", 10, 5)],
  ["a report of two months", () => reports.report("site", clock - 62 * 24 * HOUR, clock)],
];
for (const [what, ask] of refusals)
  test(`report: ${what} is refused`, () =>
    assert.rejects(ask(), (error) => isMusterError(error) && error.code === "energy.invalid"));
