import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import type { BoxPower } from "@muster/agent/power/box-power";
import { Power } from "@muster/agent/power/power";
import type { SessionTuning } from "@muster/agent/runner/control";
import { openDatabase } from "@muster/agent/storage/database";
import { type PowerPolicyPayload, signPowerPolicy } from "@muster/shared/protocol/power-policy";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import type { Database } from "better-sqlite3";
import { BenchBox, GOLDEN, until } from "../runner/bench-box.ts";
import { infer, type Reply } from "../runner/client.ts";
import { classifier, slowClassifier } from "../runner/models.ts";
import { SysfsTree } from "./sysfs-tree.ts";

const DEVICE = "daaaaaaaaaaaaaaaaaaaa";
const key = signingKeyFrom(new Uint8Array(32).fill(9));
const ZONE = "class/thermal/thermal_zone0/temp";
const MAKE_PIPE = "mkfifo";
const DRAW = "class/hwmon/hwmon0/power1_input";

let tree: SysfsTree;
let box: BenchBox;
let database: Database;
let power: Power;
let energyRate: () => number | null = () => null;
const told: string[] = [];
const noticed: string[] = [];
const tuned: SessionTuning[] = [];

/** A box at 40 °C that draws 4 W, with a real runner and a governor that has no patience. */
beforeEach(async () => {
  tree = new SysfsTree().set({ [ZONE]: 40_000, "class/hwmon/hwmon0/name": "ina226", [DRAW]: 4_000_000 });
  box = await BenchBox.create({ energyRate: () => energyRate() });
  await serve(1);
  database = openDatabase(join(box.directory, "agent.db"));
});
afterEach(async () => {
  await power.stop();
  await box.close();
  database.close();
  tree.remove();
  told.length = 0;
  noticed.length = 0;
  tuned.length = 0;
});

async function serve(sequence: number): Promise<void> {
  const small = await box.model("classifier", classifier(), GOLDEN.classifier, { variant: "cpu-small" });
  const large = await box.model("classifier", slowClassifier(4), GOLDEN.classifier, {
    alternatives: [small],
    serving: { cascade: [{ use: "variant", variant: "cpu-small", when: ["heat", "power"] }] },
  });
  await box.serve([large], sequence);
}

const unwanted = (_fields: object, message: string): void => assert.fail(message);

function govern(
  more: BoxPower = {},
  session: SessionTuning = { threads: 1, spinning: false },
  warn = unwanted,
): void {
  power = new Power({
    device: DEVICE,
    database,
    keysFor: async () => ({ [key.keyId]: key.publicKey }),
    box: { maxTemperatureC: 80, bestEffortPerSecond: 1, ...more },
    sysfs: tree.root,
    sampleMs: 20,
    rules: { riseMs: 40, fallMs: 80, silenceMs: 500, mostRelapses: 1 },
    session,
    apply: (conditions) => box.inference.setConditions(conditions),
    retune: (to) => tuned.push(to),
    onEvent: (code, message) => told.push(`${code} ${message}`),
    onNotice: (code) => noticed.push(code),
    log: { warn },
    now: Date.now,
    monotonic: () => performance.now(),
  });
  energyRate = () => power.energyRate.mjPerCpuMs;
  power.start();
}

const CRITICAL = 1;
const BEST_EFFORT = 3;
const ask = (priority: number): Promise<Reply> =>
  infer({ url: box.url }, "classifier", {
    inputs: [{ name: "x", datatype: "FP32", shape: [1, 4], data: [0, 1, 2, 3] }],
    parameters: { priority },
  });

const policy = (more: Partial<PowerPolicyPayload>) =>
  JSON.stringify(
    signPowerPolicy(
      {
        v: 1,
        device: DEVICE,
        generation: 1,
        issuedAt: Date.now(),
        notAfter: Date.now() + 3_600_000,
        timeZone: "UTC",
        windows: [],
        bestEffortOutside: "defer",
        ...more,
      },
      key,
    ),
  );

test("heat: the real runner obeys each level, and everything comes back when it is over", async () => {
  govern({}, { threads: 4, spinning: true });
  assert.equal((await ask(BEST_EFFORT)).status, 200);
  tree.set({ [ZONE]: 72_000 });
  await until(async () => (await ask(BEST_EFFORT)).status === 503, "best effort is limited");
  const limited = await ask(BEST_EFFORT);
  if (limited.status === 503) assert.equal(limited.headers["retry-after"], "1");
  assert.deepEqual(tuned, [{ threads: 1, spinning: false }]);
  assert.equal((await ask(CRITICAL)).json.parameters?.muster_rung, undefined, "not hot yet");
  tree.set({ [ZONE]: 82_000 });
  await until(async () => (await ask(CRITICAL)).json.parameters?.muster_reason === "heat", "smaller variant");
  tree.set({ [ZONE]: 95_000 });
  await until(() => power.status().heat === "critical", "critical");
  const shed = await ask(BEST_EFFORT);
  assert.deepEqual([shed.status, shed.headers["retry-after"]], [503, "60"]);
  assert.equal((await ask(CRITICAL)).status, 200);
  assert.deepEqual(
    [power.takeHealth()?.heat, power.takeHealth()?.draw, power.takeHealth()?.energy],
    ["critical", "normal", "measured"],
  );
  tree.set({ [ZONE]: 40_000 });
  await until(() => power.status().heat === "normal", "it is cool again");
  await until(async () => (await ask(BEST_EFFORT)).status === 200, "best effort runs again");
  assert.equal((await ask(CRITICAL)).json.parameters?.muster_rung, undefined);
  assert.deepEqual(tuned.at(-1), { threads: 4, spinning: true });
  assert.deepEqual(
    told.map((line) => line.replace(/ .*(from \w+ to \w+).*/, " $1")),
    [
      "power.restricted from normal to warm",
      "power.restricted from warm to hot",
      "power.restricted from hot to critical",
      "power.eased from critical to hot",
      "power.eased from hot to warm",
      "power.eased from warm to normal",
    ],
  );
  assert.match(told[0]!, /Heat went from normal to warm \(72.0 °C, the limit is 80 °C\): one thread/);
});

test("heat: a sensor that never answers holds no level where it is", async () => {
  const warnings: string[] = [];
  govern({}, undefined, (_fields, message) => void warnings.push(message));
  tree.set({ [ZONE]: 95_000 });
  await until(() => power.status().heat === "critical", "critical");
  const sensor = join(tree.root, ZONE);
  tree.set({ [ZONE]: undefined });
  execFileSync(MAKE_PIPE, [sensor]);
  await until(() => power.status().heat === "normal", "it is eased");
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]!, /the sensors have not answered/);
  writeFileSync(sensor, "41000\n");
  tree.set({ [ZONE]: undefined });
  tree.set({ [ZONE]: 41_000 });
  await until(() => power.temperatureC === 41, "it answers again");
});

test("power budget: what draws too much answers by a smaller variant, with that reason", async () => {
  govern({ budgetWatts: 5 });
  await until(() => power.status().reading !== null, "a first look");
  assert.equal((await ask(CRITICAL)).json.parameters?.muster_rung, undefined);
  tree.set({ [DRAW]: 5_200_000 });
  await until(
    async () => (await ask(CRITICAL)).json.parameters?.muster_reason === "power",
    "smaller variant",
  );
  assert.match(told.at(-1)!, /Power went from warm to hot \(5\.\d W of 5 W\)/);
});

test("policy: best effort is deferred with the time to come back, critical is not, and a restart changes nothing", async () => {
  govern();
  assert.equal(await power.offer(policy({})), "accepted");
  await until(async () => (await ask(BEST_EFFORT)).status === 503, "best effort is deferred");
  const wait = Number((await ask(BEST_EFFORT)).headers["retry-after"]);
  assert.ok(wait > 3_500 && wait <= 3_600, `${wait} s`);
  assert.equal((await ask(CRITICAL)).status, 200);
  await serve(2);
  assert.equal((await ask(BEST_EFFORT)).status, 503, "a runner that came later is told too");
  assert.match(told[0]!, /^power.deferred Best-effort work waits until .* by policy 1\.$/);
  await power.stop();
  govern();
  await until(async () => (await ask(BEST_EFFORT)).status === 503, "it is deferred after a restart");
  assert.equal(await power.offer(policy({ generation: 2, bestEffortOutside: "run" })), "accepted");
  await until(async () => (await ask(BEST_EFFORT)).status === 200, "best effort runs");
  assert.equal(await power.offer(policy({})), "refused", "an older one");
  assert.equal((await ask(BEST_EFFORT)).status, 200);
  assert.ok(told.some((line) => line.startsWith("power.resumed")));
  assert.deepEqual(noticed, ["policy.replayed"], "at a rate that is bounded: anybody may send old ones");
});

test("policy: when it ends it binds no more, without a word from anybody", async () => {
  govern();
  await power.offer(policy({ notAfter: Date.now() + 1_000 }));
  await until(async () => (await ask(BEST_EFFORT)).status === 503, "best effort is deferred");
  await until(async () => (await ask(BEST_EFFORT)).status === 200, "the policy has ended");
});

test("energy: what the box draws is shared by processor time, and told with the counters", async () => {
  govern();
  await until(() => power.energyRate.basis === "measured", "a rate");
  for (let count = 0; count < 50; count += 1) await ask(CRITICAL);
  await until(() => box.results.length >= 50, "results");
  const [counters] = box.inference.takeCounters();
  assert.ok(counters!.cpuMs > 0 && counters!.energyMj !== null && counters!.energyMj > 0);
  assert.ok(Math.abs(power.takeHealth()!.watts! - 4) < 0.01);
});

test("energy: a box without meters tells what its owner says of a core, marked as such, or nothing", async () => {
  tree.set({ "class/hwmon": undefined });
  govern({ wattsPerCore: 6 });
  await until(() => power.status().reading !== null, "a first look");
  assert.deepEqual(power.energyRate, { mjPerCpuMs: 6, basis: "modelled" });
  assert.deepEqual(power.takeHealth(), { heat: "normal", draw: "normal", watts: null, energy: "modelled" });
  await power.stop();
  tree.set({ "class/thermal": undefined });
  govern();
  await until(() => power.status().reading !== null, "a first look");
  assert.equal(power.takeHealth(), undefined);
});
