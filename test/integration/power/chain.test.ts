import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type {
  DevicePolicyResource,
  EnergyReportResource,
  PolicyList,
} from "@muster/control-plane/api/schemas/energy";
import type { DeviceHealthResource } from "@muster/control-plane/api/schemas/health";
import { TestControlPlane } from "../../support/operator/control-plane.ts";
import { AgentProcess, command } from "../agent/agent-process.ts";
import { until } from "../runner/bench-box.ts";
import { SysfsTree } from "./sysfs-tree.ts";

const ZONE = "class/thermal/thermal_zone0/temp";

let plane: TestControlPlane;
let tree: SysfsTree;
let agent: AgentProcess;
let data = "";

/** A real control plane with its trust, and a real agent on a box with a thermometer and a meter. */
before(async () => {
  plane = await TestControlPlane.start();
  tree = new SysfsTree().set({
    [ZONE]: 40_000,
    "class/hwmon/hwmon0/name": "ina226",
    "class/hwmon/hwmon0/power1_input": 6e6,
  });
  data = mkdtempSync(join(tmpdir(), "muster-power-"));
  const keys = join(plane.home, "keys");
  await plane.json("keys", "init", "--keys", keys);
  await plane.json("trust", "init", "--keys", keys);
  const { token } = await plane.json<{ token: string }>("token", "create", "--site", "eu/de", "--keys", keys);
  writeFileSync(join(data, "box.json"), JSON.stringify({ power: { maxTemperatureC: 80 } }));
  const quick = [
    "--start-delay-seconds",
    "0",
    "--heartbeat-seconds",
    "0.5",
    "--power-sample-seconds",
    "0.05",
  ];
  const where = ["--data", data, "--sysfs", tree.root, "--inference-port", "0", "--name", "press"];
  agent = new AgentProcess([...where, ...quick, "--server", plane.ready.deviceUrl, "--token", token]);
});
after(async () => {
  await agent.end();
  await plane.close();
  tree.remove();
  rmSync(data, { recursive: true });
});

const power = async () => {
  const { code, out } = await command("status", "--data", data, "--json");
  return code === 5 ? undefined : JSON.parse(out).power;
};

test("a policy that an operator decides holds on the device, and goes when it is taken back", async () => {
  await until(
    async () => (await plane.json<DevicePolicyResource[]>("device", "list")).length === 1,
    "it is enrolled",
  );
  const set = ["power", "policy", "set", "--site", "eu", "--outside", "defer"];
  await plane.json(...set, "--window", "cheap mon-sun 00:00-00:01", "--window", "green sun 10:00-12:00");
  await until(async () => (await power())?.policy?.bestEffortOutside === "defer", "the device has it");
  const shown = await plane.json<DevicePolicyResource>("power", "policy", "show", "press");
  const held = await power();
  assert.deepEqual([shown.scope, shown.generation], ["site:eu", held.policy.generation]);
  assert.deepEqual(held.policy.windows, shown.windows);
  const { policies } = (await plane
    .call("GET", "/power/policies")
    .then((answer) => answer.json())) as PolicyList;
  assert.deepEqual(
    policies.map(({ scope }) => scope),
    ["site:eu"],
  );
  assert.match(
    (await plane.muster(["power", "policy", "list"])).stdout,
    /site:eu +best effort waits for cheap 00:00-00:01; green sun 10:00-12:00/,
  );
  await plane.json("power", "policy", "clear", "--site", "eu");
  await until(async () => (await power()).policy.bestEffortOutside === "run", "it is taken back");
  assert.equal((await power()).conditions.bestEffort.deferredUntil, null);
  const nobody = await plane.muster(["power", "policy", "set", "--group", "labb", "--outside", "run"]);
  assert.match(nobody.stderr, /no group labb[\s\S]*request.not-found/);
  const again = await plane.muster(["power", "policy", "clear", "--site", "eu"]);
  assert.match(again.stderr, /request.not-found/);
});

test("heat is seen where the fleet is watched, with the events that say why", async () => {
  tree.set({ [ZONE]: 95_000 });
  await until(async () => {
    const health = await plane.json<DeviceHealthResource>("health", "device", "press");
    return health.vitals?.power?.heat === "critical";
  }, "the control plane knows");
  const { vitals } = await plane.json<DeviceHealthResource>("health", "device", "press");
  assert.deepEqual(
    [vitals?.temperatureC, vitals?.power?.draw, vitals?.power?.energy],
    [95, "normal", "measured"],
  );
  assert.ok(Math.abs(vitals!.power!.watts! - 6) < 0.01);
  assert.match(
    (await plane.muster(["health", "device", "press"])).stdout,
    /power +heat critical, draw normal \(6.0 W\)/,
  );
  await until(
    async () => /power.restricted/.test((await plane.muster(["device", "timeline", "press"])).stdout),
    "the events are told",
  );
  assert.match((await command("status", "--data", data)).out, /^power +heat critical \(95.0 °C\)/m);
});

test("factors and reports are to be had at the command line", async () => {
  const added = await plane.json<{ id: string }>(
    "power",
    "factor",
    "add",
    "--cost",
    "0.31",
    "--currency",
    "EUR",
    "--carbon",
    "380",
  );
  assert.match((await plane.muster(["power", "factor", "list"])).stdout, /fleet .* 0.31 EUR +380 g/);
  const report = await plane.json<EnergyReportResource>("power", "report", "--by", "class", "--last", "7d");
  assert.deepEqual([report.by, report.currency, report.total.inferences], ["class", "EUR", 0]);
  assert.match((await plane.muster(["power", "report"])).stderr, /No inference was counted/);
  await plane.json("power", "factor", "remove", added.id);
  const wrong = await plane.muster(["power", "factor", "add", "--cost", "0.31"]);
  assert.match(wrong.stderr, /energy.invalid/);
  assert.equal(wrong.code, 2, "wrong usage");
  const noKind = await plane.muster([
    "power",
    "policy",
    "set",
    "--outside",
    "defer",
    "--window",
    "22:00-05:00",
  ]);
  assert.match(noKind.stderr, /window.invalid/);
});
