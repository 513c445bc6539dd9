import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { Policy } from "@muster/agent/power/policy";
import { openDatabase } from "@muster/agent/storage/database";
import { Energy } from "@muster/control-plane/energy/energy";
import { replaceSite } from "@muster/control-plane/fleet/site-settings";
import { DEVICE_API } from "@muster/shared/protocol/device-api";
import type { PowerPolicy } from "@muster/shared/protocol/power-policy";
import { downFilter } from "@muster/shared/protocol/topics";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import type { Database } from "better-sqlite3";
import { askDeviceApi, connectMqtt } from "../../support/fleet/client.ts";
import { startFleet, type TestFleet } from "../../support/fleet/fleet.ts";
import { until } from "../../support/fleet/until.ts";

const key = signingKeyFrom(new Uint8Array(32).fill(7));
const stranger = signingKeyFrom(new Uint8Array(32).fill(8));
const night = {
  windows: [{ from: "22:00", to: "05:00", kind: "cheap" as const }],
  bestEffortOutside: "defer" as const,
};

type Member = Awaited<ReturnType<TestFleet["enroll"]>>;

let directory = "";
let now = Date.parse("2026-11-22T12:00Z");
let fleet: TestFleet;
let energy: Energy;
const databases: Database[] = [];

const open = (on: TestFleet, signer = key): Promise<Energy> =>
  Energy.open({
    stores: on.stores,
    directory: on.directory,
    ledger: on.health.ledger,
    key: signer,
    publishDown: (...what) => on.broker.publishDown(...what),
    clock: () => now,
    onError: (error) => assert.fail(String(error)),
  });

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "muster-power-"));
  now = Date.parse("2026-11-22T12:00Z");
  fleet = await startFleet();
  energy = await open(fleet);
});
afterEach(async () => {
  for (const database of databases.splice(0)) database.close();
  await fleet.close();
  rmSync(directory, { recursive: true });
});

/** The part of an agent that takes policies, with its real database, on the line to the real broker. */
async function box(member: Member, name = member.id) {
  const database = openDatabase(join(directory, `${name}.db`));
  databases.push(database);
  const told: string[] = [];
  const seen: PowerPolicy[] = [];
  const policy = new Policy({
    device: member.id,
    database,
    keysFor: async () => ({ [key.keyId]: key.publicKey }),
    now: () => now,
    onAccepted: ({ generation }) => told.push(`accepted ${generation}`),
    onRefused: ({ code }) => told.push(code),
  });
  const offers: Promise<string>[] = [];
  const client = await connectMqtt(fleet, member);
  client.on("message", (topic, payload) => {
    if (!topic.endsWith("/down/policy")) return;
    seen.push(JSON.parse(payload.toString()));
    offers.push(policy.offer(payload));
  });
  await client.subscribeAsync(downFilter(member.id), { qos: 1 });
  const settled = async () => {
    await Promise.all(offers);
    return policy.newest;
  };
  return { policy, told, seen, settled, leave: () => client.endAsync(true) };
}

test("policy: the nearest decision reaches each device, retained, by the clock of its site", async () => {
  const [press, oven, gate] = [
    await fleet.enroll("press", "eu/de"),
    await fleet.enroll("oven", "eu/fr"),
    await fleet.enroll("gate", "us"),
  ];
  await replaceSite(fleet.stores.control, "eu", { timeZone: "Europe/Berlin" });
  await energy.policies.set({ site: "eu" }, night, "ada");
  await energy.policies.set({ site: "eu/fr" }, { windows: [], bestEffortOutside: "run" }, "ada");
  await energy.tick();
  // It was published before anybody listened.
  const boxes = [await box(press), await box(oven), await box(gate)];
  await until(() => boxes[0]!.seen.length + boxes[1]!.seen.length === 2);
  const held = await boxes[0]!.settled();
  assert.deepEqual(
    [held?.timeZone, held?.windows, held?.bestEffortOutside],
    ["Europe/Berlin", night.windows, "defer"],
  );
  assert.equal((await boxes[1]!.settled())?.bestEffortOutside, "run");
  assert.equal(boxes[2]!.seen.length, 0, "nobody decided anything for it");
  const shown = await energy.policyOf(press.id);
  assert.deepEqual([shown.scope, shown.generation], ["site:eu", held?.generation]);
  for (const each of boxes) await each.leave();
});

test("policy: what is taken back, changed or moved is a newer policy; what is the same is none", async () => {
  const member = await fleet.enroll("press", "eu/de");
  await energy.policies.set({}, night, "ada");
  await energy.tick();
  const press = await box(member);
  await until(() => press.seen.length === 1);
  await energy.tick();
  await energy.policies.set({}, night, "ada");
  await energy.tick();
  now += 1_000;
  await energy.policies.set({}, { ...night, bestEffortOutside: "run" }, "ada");
  await energy.tick();
  await until(() => press.seen.length === 2);
  now += 1_000;
  await energy.policies.set({ site: "eu" }, night, "ada");
  await energy.tick();
  await until(() => press.seen.length === 3);
  await energy.policies.remove({});
  await energy.policies.remove({ site: "eu" });
  await energy.tick();
  await until(() => press.seen.at(-1)?.payload.windows.length === 0);
  const held = await press.settled();
  assert.equal(held?.bestEffortOutside, "run");
  const generations = press.seen.map(({ payload }) => payload.generation);
  assert.deepEqual(generations, [...new Set(generations)].sort());
  await press.leave();
});

test("policy: it outlives a restart of both sides, and is issued anew before it ends", async () => {
  const member = await fleet.enroll("press", "eu/de");
  await energy.policies.set({}, night, "ada");
  await energy.tick();
  const before = await box(member, "same");
  await until(() => before.told.length === 1);
  const held = await before.settled();
  await before.leave();
  const { dataDir } = fleet;
  await fleet.close(true);
  fleet = await startFleet({ dataDir });
  energy = await open(fleet);
  await energy.tick();
  const after = await box(member, "same");
  assert.deepEqual(after.policy.newest, held, "known before anybody said anything");
  await until(() => after.seen.length === 1);
  assert.equal(after.seen[0]?.payload.generation, held?.generation);
  await after.settled();
  assert.deepEqual(after.told, []);
  now += 16 * 86_400_000;
  await energy.tick();
  await until(() => after.told.length === 1);
  assert.ok((await after.settled())!.notAfter > held!.notAfter);
  await after.leave();
});

test("policy: nobody else's, no older one and none of another device is taken", async () => {
  const [member, other] = [await fleet.enroll("press", "eu/de"), await fleet.enroll("oven", "eu/de")];
  await energy.policies.set({}, night, "ada");
  await energy.tick();
  const press = await box(member);
  await until(() => press.told.length === 1);
  const [first] = press.seen;
  now += 1_000;
  await energy.policies.set({}, { ...night, bestEffortOutside: "run" }, "ada");
  await energy.tick();
  await until(() => press.told.length === 2);
  const replay = (document: unknown) =>
    fleet.broker.publishDown(member.id, "policy", JSON.stringify(document), { retain: true });
  await replay(first);
  await until(() => press.told.length === 3);
  const foreign = await askDeviceApi(fleet, DEVICE_API.policy, { device: other });
  await replay(JSON.parse(foreign.text));
  await until(() => press.told.length === 4);
  now += 1_000;
  const forged = await open(fleet, stranger);
  await forged.policies.set({}, night, "eve");
  await forged.tick();
  await until(() => press.told.length === 5);
  assert.deepEqual(press.told.slice(2), [
    "policy.replayed",
    "policy.wrong-audience",
    "policy.signature-invalid",
  ]);
  assert.equal((await press.settled())?.bestEffortOutside, "run");
  await press.leave();
});

test("policy: without MQTT it is to be had over HTTPS, for its own device alone", async () => {
  const [member, other] = [await fleet.enroll("press", "eu/de"), await fleet.enroll("gate", "us")];
  await energy.policies.set({ site: "eu" }, night, "ada");
  await energy.tick();
  const answer = await askDeviceApi(fleet, DEVICE_API.policy, { device: member });
  assert.equal(answer.status, 200);
  assert.equal((JSON.parse(answer.text) as PowerPolicy).payload.device, member.id);
  const etag = String(answer.headers.etag);
  const again = { device: member, headers: { "if-none-match": etag } };
  assert.equal((await askDeviceApi(fleet, DEVICE_API.policy, again)).status, 304);
  assert.equal((await askDeviceApi(fleet, DEVICE_API.policy, { device: other })).status, 204);
  assert.equal((await askDeviceApi(fleet, DEVICE_API.policy)).status, 401);
});
