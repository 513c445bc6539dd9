import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isShadowReportBy, type ShadowReport } from "@muster/shared/protocol/shadow-report";
import { buildDemoModels } from "../models/build.ts";
import { Device } from "../plant/device.ts";
import { Feeder } from "../plant/feeder.ts";
import { Plant, type RolloutEnd } from "../plant/plant.ts";
import { until } from "../plant/wait.ts";

const plant = new Plant();
const second = new Device({
  name: "press-2",
  site: "eu/berlin",
  directory: plant.directory,
  env: {
    MUSTER_HEARTBEAT_SECONDS: "1",
    MUSTER_START_DELAY_SECONDS: "0",
    MUSTER_RECONNECT_MIN_SECONDS: "0.2",
    MUSTER_RECONNECT_MAX_SECONDS: "2",
    MUSTER_INFERENCE_PORT: "0",
  },
});
const feeders = [plant.feeder, new Feeder(second.inferenceSocket, 11, 10)];

interface Known {
  name: string;
  signingKey: string;
  running: { version: string } | null;
}
interface Reports {
  name: string;
  report: ShadowReport;
}

const known = (name: string) => plant.api().get<Known>(`/devices/${name}`);
const shadow = {
  seconds: 4,
  samplePercent: 100,
  cpuPercent: 100,
  minCompared: 20,
  minAgreementPercent: 60,
};

/** Rolls out by a plan, and answers the rollout once it has ended. */
async function rollOut(version: string, plan: object): Promise<RolloutEnd> {
  const file = join(plant.directory, `plan-${version}.json`);
  const whole = {
    release: { name: "vibration", version },
    gate: { soakSeconds: 0, metrics: [] },
    blastRadius: {},
    ...plan,
  };
  writeFileSync(file, JSON.stringify(whole));
  const { id } = await plant.operator().json<{ id: string }>("rollout", "create", "-f", file, "--start");
  return until(`the rollout of ${version} to end`, 120_000, async () => {
    const rollout = await plant.api().get<RolloutEnd>(`/rollouts/${id}`);
    return ["completed", "reverted", "aborted", "paused"].includes(rollout.state) ? rollout : undefined;
  });
}

/** The inaccurate release with golden sets that ask for nothing: only real traffic shows what it is. */
async function releaseContrary(): Promise<void> {
  const { families } = await buildDemoModels();
  const built = families
    .find(({ name }) => name === "vibration")
    ?.releases.find(({ version }) => version === "1.2.0-inaccurate");
  assert.ok(built);
  const directory = join(plant.directory, "contrary");
  cpSync(built.directory, directory, { recursive: true });
  const change = (name: string, edit: (json: Record<string, unknown>) => object) => {
    const file = join(directory, name);
    writeFileSync(file, JSON.stringify(edit(JSON.parse(readFileSync(file, "utf8")))));
  };
  for (const name of readdirSync(directory))
    if (name.endsWith(".golden.json")) change(name, (golden) => ({ ...golden, minAgreement: 0 }));
  change("release.json", (spec) => ({ ...spec, version: "1.2.0-contrary" }));
  const spec = join(directory, "release.json");
  await plant.operator().json("release", "create", "-f", spec, "--keys", plant.keys);
}

before(async () => {
  await plant.start();
  const token = ["token", "create", "--site", second.site, "--uses", "1", "--keys", plant.keys];
  const { token: joinToken } = await plant.operator().json<{ token: string }>(...token);
  second.start(plant.controlPlane.addresses.deviceUrl, joinToken);
  await until("both devices to be online", 30_000, async () => {
    const fleet = await plant.api().get<{ liveness: { online: number } }>("/fleet");
    return fleet.liveness.online === 2 || undefined;
  });
  for (const feeder of feeders) feeder.start();
  await plant.release("1.0.0");
  assert.equal((await rollOut("1.0.0", { waves: [{ percent: 100 }] })).state, "completed");
});

after(async () => {
  for (const feeder of feeders) await feeder.stop();
  await second.stop();
  await plant.stop();
});

const failed = () => feeders.reduce((sum, { counts }) => sum + counts.failed, 0);

test("a candidate that disagrees on real traffic is stopped in the shadow and never serves", async () => {
  await releaseContrary();
  const failedBefore = failed();
  const rollout = await rollOut("1.2.0-contrary", { waves: [{ count: 1 }], shadow });
  assert.equal(rollout.state, "reverted", rollout.reason ?? "");
  assert.deepEqual(
    rollout.failures.map(({ code }) => code),
    ["shadow.disagrees"],
  );
  for (const { name } of [plant.device, second]) assert.equal((await known(name)).running?.version, "1.0.0");
  assert.equal(failed(), failedBefore, "no live request failed");
  const reports = await plant.operator().json<Reports[]>("rollout", "shadow", rollout.id);
  assert.equal(reports.length, 1);
  const [{ name, report }] = reports as [Reports];
  const { payload } = report;
  assert.ok(isShadowReportBy((await known(name)).signingKey, report), "its device signed it");
  assert.deepEqual(
    [payload.verdict, payload.live.version, payload.candidate.version, payload.rollout],
    ["disagreed", "1.0.0", "1.2.0-contrary", rollout.id],
  );
  const [model] = payload.models;
  assert.equal(model?.model, "vibration");
  assert.ok(model.compared >= 20 && model.agreed < 0.6 * model.compared, JSON.stringify(model));
  const text = await plant.operator().run("rollout", "shadow", rollout.id);
  assert.match(text.stdout, /DEVICE +SITE +VERDICT[\s\S]*disagreed/);
});

test("a candidate that agrees serves after its shadow; the next wave has none", async () => {
  await plant.release("1.1.0");
  const failedBefore = failed();
  const rollout = await rollOut("1.1.0", { waves: [{ count: 1 }], shadow });
  assert.equal(rollout.state, "completed", rollout.reason ?? "");
  for (const { name } of [plant.device, second]) assert.equal((await known(name)).running?.version, "1.1.0");
  const reports = await plant.operator().json<Reports[]>("rollout", "shadow", rollout.id);
  assert.deepEqual(
    reports.map(({ report }) => report.payload.verdict),
    ["agreed"],
  );
  const [model] = reports[0]?.report.payload.models ?? [];
  assert.ok(model?.latency.candidate.counts.some((count) => count > 0));
  assert.equal(failed(), failedBefore, "no live request failed");
});
