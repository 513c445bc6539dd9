import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { MusterError } from "@muster/shared/errors";
import { hexOf } from "@muster/shared/trust/digest";
import { DEVICE, type ReleasePlan, World } from "./world.ts";

const scenario = (name: string, run: (world: World) => Promise<void>) =>
  test(name, async () => {
    const world = await World.create();
    try {
      await run(world);
    } finally {
      await world.destroy();
    }
  });

scenario("a release is fetched, proven, served and committed, and told phase by phase", async (world) => {
  const release = world.release("1.0.0", 1, { config: '{"threshold":3}' });
  const result = await world.install(release);
  assert.equal(result?.outcome, "succeeded");
  const { running, components, runner, generation } = world.engine.state();
  assert.deepEqual([running, runner, generation], [release, "ready", 1]);
  assert.deepEqual(
    components.map(({ type, name }) => `${type} ${name}`),
    ["model eyes", "config limits"],
  );
  assert.deepEqual(
    world.updates().map(({ phase }) => phase),
    ["accepted", "fetching", "fetched", "staged", "activating", "probation", "committed"],
  );
  assert.equal(world.current(), "1.0.0");
  const document = join(world.dataDir, "current", "config", "limits.json");
  assert.deepEqual(JSON.parse(readFileSync(document, "utf8")), { threshold: 3 });
});

const failures: [string, ReleasePlan, string, string][] = [
  ["no variant for this box", { providers: ["cuda"] }, "rejected", "release.no-variant"],
  ["a document that is no JSON", { config: "{" }, "rejected", "config.invalid"],
  [
    "golden outputs differ",
    { fate: { prepare: "model.golden-mismatch" } },
    "failed-unchanged",
    "model.golden-mismatch",
  ],
  [
    "the model does not load",
    { fate: { prepare: "model.load-failed" } },
    "failed-unchanged",
    "model.load-failed",
  ],
  ["it cannot take the endpoint", { fate: { serve: "runner.hung" } }, "failed-rolled-back", "runner.hung"],
  ["it crashes", { fate: { observed: { crashes: 1 } } }, "failed-rolled-back", "probation.crashed"],
  ["it is slow", { fate: { observed: { p95Ms: 101 } } }, "failed-rolled-back", "probation.latency"],
  ["it fails", { fate: { observed: { failures: 50 } } }, "failed-rolled-back", "probation.errors"],
  [
    "nobody uses it",
    { fate: { observed: { inferences: 0 } }, probation: { deadlineSeconds: 1 } },
    "failed-rolled-back",
    "probation.no-traffic",
  ],
];
for (const [name, plan, outcome, code] of failures)
  scenario(`${name}: the old release serves on, ${outcome}`, async (world) => {
    await world.install(world.release("1.0.0", 1));
    const result = await world.install(world.release("2.0.0", 2, plan));
    assert.deepEqual([result?.outcome, result?.failure?.code], [outcome, code]);
    await world.serves("1.0.0");
    assert.equal(world.current(), "1.0.0");
    assert.equal(world.inference.leaked, 0);
    const history =
      outcome === "failed-rolled-back" && code !== "runner.hung" ? ["1.0.0", "2.0.0", "1.0.0"] : ["1.0.0"];
    assert.deepEqual(world.inference.history.filter(Boolean), history);
    const next = await world.install(world.release("3.0.0", 3));
    assert.equal(next?.outcome, "succeeded");
  });

scenario("the first release fails: nothing runs, and it is told", async (world) => {
  const result = await world.install(world.release("1.0.0", 1, { fate: { observed: { crashes: 1 } } }));
  assert.equal(result?.outcome, "failed-rolled-back");
  await world.serves(null);
  assert.deepEqual([world.engine.state().runner, world.current()], ["idle", undefined]);
});

scenario("neither release runs: stuck is told, and the device goes on trying", async (world) => {
  await world.install(world.release("1.0.0", 1));
  world.inference.broken.set("1.0.0", "model.load-failed");
  const bad = world.release("2.0.0", 2, { fate: { observed: { crashes: 1 } } });
  const generation = await world.order(bad);
  await world.until(() => world.engine.state().lastResult?.outcome === "failed-stuck");
  assert.equal(world.engine.state().lastResult?.failure?.code, "update.stuck");
  world.inference.broken.clear();
  const result = await world.ended(generation);
  assert.equal(result?.outcome, "failed-rolled-back");
  await world.serves("1.0.0");
});

scenario("running nothing on demand, and something again", async (world) => {
  const release = world.release("1.0.0", 1);
  await world.install(release);
  assert.equal((await world.install(null))?.outcome, "succeeded");
  await world.serves(null);
  assert.equal((await world.install(release))?.outcome, "succeeded");
  await world.serves("1.0.0");
});

scenario("a release of documents alone needs no runner", async (world) => {
  const release = world.release("1.0.0", 1, { modelless: true, config: "[1]" });
  assert.equal((await world.install(release))?.outcome, "succeeded");
  const { running, components, runner } = world.engine.state();
  assert.deepEqual([running, runner, components.length], [release, "idle", 1]);
  await world.reboot();
  await world.serves("1.0.0");
});

scenario("what runs is not installed again, whoever asks", async (world) => {
  const release = world.release("1.0.0", 1);
  await world.install(release);
  const requests = world.origin.artifactRequests;
  const result = await world.install(release);
  assert.deepEqual([result?.outcome, result?.generation], ["succeeded", 2]);
  assert.equal(world.origin.artifactRequests, requests);
  assert.deepEqual(world.inference.history.filter(Boolean), ["1.0.0"]);
});

scenario("a newer directive cancels a download", async (world) => {
  await world.install(world.release("1.0.0", 1));
  world.origin.fault = () => ({ kind: "slow", chunk: 100, ms: 20 });
  const slow = world.release("2.0.0", 2, { padding: 200_000 });
  await world.order(slow);
  await world.until(() => world.engine.state().update?.phase === "fetching");
  world.origin.fault = () => undefined;
  assert.equal((await world.install(world.release("3.0.0", 3)))?.outcome, "succeeded");
  const superseded = world.updates().filter(({ outcome }) => outcome === "superseded");
  assert.deepEqual(
    superseded.map(({ generation, phase }) => `${generation} ${phase}`),
    ["2 fetching"],
  );
  await world.until(() => readdirSync(join(world.dataDir, "store", "partial")).length === 0);
});

scenario("a newer directive on probation goes back first; the same release goes on", async (world) => {
  await world.install(world.release("1.0.0", 1));
  const second = world.release("2.0.0", 2, { probation: { minSeconds: 3600 } });
  await world.order(second);
  await world.until(() => world.engine.state().update?.phase === "probation");
  await world.order(second);
  assert.deepEqual(
    [world.engine.state().update?.generation, world.engine.state().update?.phase],
    [3, "probation"],
  );
  assert.equal((await world.install(world.release("3.0.0", 3)))?.outcome, "succeeded");
  assert.deepEqual(world.inference.history.filter(Boolean), ["1.0.0", "2.0.0", "1.0.0", "3.0.0"]);
});

scenario(
  "a restart on probation goes on with it; on a committed release it serves at once",
  async (world) => {
    await world.install(world.release("1.0.0", 1));
    await world.order(world.release("2.0.0", 2, { probation: { minSeconds: 3600 } }));
    await world.until(() => world.engine.state().update?.phase === "probation");
    await world.reboot();
    await world.serves("2.0.0");
    assert.equal(world.engine.state().update?.phase, "probation");
    const other = await world.install(world.release("3.0.0", 3));
    assert.equal(other?.outcome, "succeeded");
    await world.origin.stop();
    await world.reboot();
    await world.serves("3.0.0");
    await world.origin.start();
  },
);

scenario("an agent that dies on each start of a release rolls it back", async (world) => {
  await world.install(world.release("1.0.0", 1));
  await world.order(world.release("2.0.0", 2, { probation: { minSeconds: 3600 } }));
  await world.until(() => world.engine.state().update?.phase === "probation");
  for (let start = 0; start < 6; start++) await world.reboot();
  await world.serves("1.0.0");
  assert.equal(world.engine.state().lastResult?.failure?.code, "update.attempts-exhausted");
});

scenario("a damaged file of the committed release is fetched again", async (world) => {
  await world.install(world.release("1.0.0", 1, { config: "[1]" }));
  const [model] = world.engine.state().components;
  const file = join(world.dataDir, "store", "sha256", hexOf(model?.digest ?? ""));
  const content = readFileSync(file);
  writeFileSync(file, Buffer.concat([Buffer.from("damage"), content.subarray(6)]));
  await world.reboot();
  await world.serves("1.0.0");
  assert.deepEqual(readFileSync(file), content);
});

scenario(
  "a file that is damaged before it was ever loaded is fetched and put in place again",
  async (world) => {
    await world.install(world.release("1.0.0", 1));
    const second = world.release("2.0.0", 2);
    const file = join(
      world.dataDir,
      "releases",
      hexOf(second.digest),
      "models/eyes/2.0.0/cpu-int8/model.onnx",
    );
    let damaged = false;
    world.inference.onCall = (what) => {
      if (what !== "prepare" || damaged || !existsSync(file)) return;
      damaged = true;
      writeFileSync(file, Buffer.alloc(readFileSync(file).byteLength));
    };
    assert.equal((await world.install(second))?.outcome, "succeeded");
    assert.equal(damaged, true);
  },
);

scenario("an agent that is told to end does not wait for a release that loads", async (world) => {
  await world.install(world.release("1.0.0", 1));
  const { inference } = world;
  let loading = false;
  inference.prepare = (_deployment, _lower, signal) =>
    new Promise((_resolve, reject) => {
      loading = true;
      signal?.addEventListener("abort", () => reject(new MusterError("request.conflict")));
    });
  const generation = await world.order(world.release("2.0.0", 2));
  await world.until(() => loading);
  await world.reboot();
  assert.equal((await world.ended(generation))?.outcome, "succeeded");
});

scenario("a directive for what runs is no success while something of it fell back", async (world) => {
  const release = world.release("1.0.0", 1);
  await world.install(release);
  world.inference.degraded = { step: "provider", reason: "its driver is gone" };
  world.inference.onCall = (what) => {
    if (what === "served") world.inference.degraded = undefined;
  };
  assert.equal((await world.install(release))?.outcome, "succeeded");
  assert.deepEqual(world.inference.history, ["1.0.0", "1.0.0"]);
});

scenario("a damaged file that cannot be fetched is told once and served when it can", async (world) => {
  await world.install(world.release("1.0.0", 1));
  const [model] = world.engine.state().components;
  const file = join(world.dataDir, "store", "sha256", hexOf(model?.digest ?? ""));
  truncateSync(file, 10);
  world.origin.fault = () => ({ kind: "status", status: 500 });
  await world.reboot();
  await world.until(() => world.events().length > 0);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(world.events().length, 1);
  world.origin.fault = () => undefined;
  await world.serves("1.0.0");
});

scenario("the symlink is mended on start, and a lost database does not stop what runs", async (world) => {
  await world.install(world.release("1.0.0", 1));
  rmSync(join(world.dataDir, "current"));
  await world.reboot();
  assert.equal(world.current(), "1.0.0");
  await world.shutdown();
  for (const part of ["", "-wal", "-shm"]) rmSync(join(world.dataDir, `agent.db${part}`), { force: true });
  await world.origin.stop();
  await world.boot();
  await world.serves("1.0.0");
  assert.deepEqual(world.events(), ["storage.broken"]);
  await world.origin.start();
});

scenario("what no release needs is removed; the one before stays", async (world) => {
  for (const sequence of [1, 2, 3]) await world.install(world.release(`${sequence}.0.0`, sequence));
  const blobs = () => readdirSync(join(world.dataDir, "store", "sha256")).length;
  await world.until(() => blobs() === 6 && readdirSync(join(world.dataDir, "releases")).length === 2);
  assert.ok(!existsSync(join(world.dataDir, "current.new")));
});

scenario("refused directives are told once and change nothing", async (world) => {
  await world.install(world.release("1.0.0", 1));
  const bad = world.origin.directive("dzzzzzzzzzzzzzzzzzzzz", 9, null);
  assert.equal(await world.engine.offer(bad, "mqtt"), "refused");
  assert.equal(await world.engine.offer(bad, "https"), "refused");
  assert.equal(await world.engine.offer("{", "mqtt"), "refused");
  assert.deepEqual(world.events(), ["directive.wrong-audience", "wire.malformed"]);
  const { refused, generation } = world.engine.state();
  assert.deepEqual([refused?.failure.code, generation], ["wire.malformed", 1]);
  await world.serves("1.0.0");
});

scenario("a flood of bad directives is told within bounds", async (world) => {
  for (let generation = 1; generation <= 100; generation++)
    await world.engine.offer(world.origin.directive("dzzzzzzzzzzzzzzzzzzzz", generation, null), "mqtt");
  assert.equal(world.events().length, 60);
  assert.equal(world.engine.state().refused?.generation, 100);
  assert.equal((await world.install(world.release("1.0.0", 1)))?.outcome, "succeeded");
});

scenario("generation and floor outlive a restart", async (world) => {
  const [first, second] = [world.release("1.0.0", 1), world.release("2.0.0", 2)];
  const offer = (generation: number, release: typeof first, floor: number) =>
    world.engine.offer(world.origin.directive(DEVICE, generation, release, { floor }), "mqtt");
  assert.equal(await offer(5, second, 2), "accepted");
  await world.ended(5);
  await world.reboot();
  assert.equal(await offer(5, second, 2), "current");
  assert.equal(await offer(4, second, 2), "refused");
  assert.equal(await offer(6, first, 0), "refused");
  assert.deepEqual(world.events(), ["directive.replayed", "directive.below-floor"]);
});
