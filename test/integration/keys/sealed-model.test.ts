import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Plant } from "../../plant/plant.ts";
import { until } from "../../plant/wait.ts";

const LEASE_SECONDS = 12;
const PATIENCE = 60_000;

const plant = new Plant(
  { MUSTER_RENEW_CHECK_SECONDS: "0.5", MUSTER_HTTP_TIMEOUT_SECONDS: "3" },
  { keyLeaseSeconds: LEASE_SECONDS, keyVerdict: "any" },
);
after(() => plant.stop());

interface Shown {
  reported: { runner: string; running: { version: string } | null } | null;
  trust: { withheld: boolean };
  withheldBecause: string | null;
  liveness: string;
}
const shown = () => plant.api().get<Shown>("/devices/press-1");
const runner = (state: string) =>
  until(`the runner to be ${state}`, PATIENCE, async () => {
    const { reported, liveness } = await shown();
    return (liveness === "online" && reported?.runner === state) || undefined;
  });

function* filesBelow(directory: string): Generator<string> {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile()) yield path;
  }
}

/** Files below a directory that hold these bytes. */
function holding(directory: string, bytes: Buffer): string[] {
  return [...filesBelow(directory)].filter(
    (file) => statSync(file).size > 0 && readFileSync(file).includes(bytes),
  );
}

const events = async (): Promise<string[]> => {
  const { entries } = await plant
    .api()
    .get<{ entries: { kind: string; code?: string }[] }>("/devices/press-1/timeline");
  return entries.flatMap(({ code }) => code ?? []);
};

test("a sealed model runs on a device that passes, and on no other", async () => {
  await plant.start();
  const operator = plant.operator();
  const built = await plant.release("1.0.0", "--seal");

  // What does not pass is told nothing, and says why.
  await operator.json("device", "quarantine", "press-1", "--reason", "strange results");
  const { id } = await operator.json<{ id: string }>(
    ...["rollout", "create", "--release", "vibration@1.0.0", "--wave", "100%", "--soak", "0s", "--start"],
  );
  const part = await until("the device to be withheld", PATIENCE, async () => {
    const { devices } = await plant.api().get<{
      devices: { situation: string; held: string; withheldBecause: string }[];
    }>(`/rollouts/${id}/devices`);
    return devices.find(({ held }) => held === "withheld");
  });
  assert.deepEqual(
    [part.situation, part.withheldBecause],
    ["withheld", "It is in quarantine: strange results."],
  );
  const withheld = await plant.reported();
  assert.deepEqual([withheld.generation, withheld.running], [0, null], "no directive was issued");
  const { devices } = await plant.api().get<{ devices: { name: string }[] }>("/devices?selector=withheld");
  assert.deepEqual(
    devices.map(({ name }) => name),
    ["press-1"],
  );

  // Once it passes it gets directive and key.
  await operator.json("device", "release", "press-1");
  plant.feeder.start();
  const end = await until("the rollout to end", PATIENCE, async () => {
    const rollout = await plant.api().get<{ state: string; reason: string | null }>(`/rollouts/${id}`);
    return ["completed", "paused", "reverted"].includes(rollout.state) ? rollout : undefined;
  });
  assert.equal(end.state, "completed", end.reason ?? "");
  await runner("ready");
  plant.feeder.start();
  await until(
    "answers of the sealed model",
    PATIENCE,
    async () => plant.feeder.counts.produced > 3 || undefined,
  );

  const { keys } = await plant
    .api()
    .get<{ keys: { id: string; leases: number; releases: string[] }[] }>("/model-keys");
  assert.ok(keys.some(({ leases, releases }) => leases === 1 && releases[0] === "vibration 1.0.0"));
  const { entries } = await plant
    .api()
    .get<{ entries: { action: string; actor: { kind: string } }[] }>("/audit?action=key");
  const released = entries.find(({ action }) => action === "key.release");
  assert.equal(released?.actor.kind, "device");

  // Neither box nor control plane have the weights in the open.
  const models = [...filesBelow(built)].filter((file) => file.endsWith(".onnx"));
  assert.ok(models.length > 0);
  for (const model of models) {
    const bytes = readFileSync(model);
    const weights = bytes.subarray(Math.floor(bytes.length / 2), Math.floor(bytes.length / 2) + 64);
    assert.deepEqual(holding(plant.directory, weights), [], model);
  }
});

test("a lease that ends takes nothing from a model that runs, and keeps it from being loaded again", async () => {
  const operator = plant.operator();
  const produced = () => plant.feeder.counts.produced;
  await sleep(LEASE_SECONDS * 1000);
  const renewed = produced();
  await until("more answers", PATIENCE, async () => produced() > renewed + 3 || undefined);

  await operator.json("device", "quarantine", "press-1", "--reason", "strange results");
  await until("the lease to end", PATIENCE, async () => {
    const { keys } = await plant.api().get<{ keys: { leases: number }[] }>("/model-keys");
    return keys.every(({ leases }) => leases === 0) || undefined;
  });
  const before = produced();
  await until("answers of the model that runs", PATIENCE, async () => produced() > before + 3 || undefined);
  assert.ok((await events()).includes("key.withheld"), "the device says why it gets no lease");

  await plant.device.stop("power-cut");
  plant.startDevice();
  await runner("idle");

  await operator.json("device", "release", "press-1");
  await runner("ready");
});

test("without a line a lease is good until it ends", async () => {
  await plant.device.stop("power-cut");
  await plant.controlPlane.stop();
  plant.startDevice();
  const produced = plant.feeder.counts.produced;
  await until(
    "answers without a line",
    PATIENCE,
    async () => plant.feeder.counts.produced > produced + 3 || undefined,
  );

  await plant.device.stop("power-cut");
  await sleep(LEASE_SECONDS * 1000);
  plant.startDevice();
  const log = join(plant.directory, "logs", "press-1.log");
  const from = statSync(log).size;
  await until(
    "the model to be refused",
    PATIENCE,
    async () => readFileSync(log, "utf8").slice(from).includes("key.lease-ended") || undefined,
  );
  await plant.controlPlane.start();
  await runner("ready");
});
