import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { DEFAULT_MEASURE_LIMITS, measureInChild } from "@muster/agent/choice/measure";
import { probeRuntime } from "@muster/agent/external/probe";
import type { ExternalRuntime } from "@muster/agent/external/runtime";
import { detectRuntime } from "@muster/agent/inference/detect-runtime";
import { BenchBox, GOLDEN, isRunning, until } from "../runner/bench-box.ts";
import { classifier } from "../runner/models.ts";

const SERVER = fileURLToPath(new URL("../../support/oip-server/server.js", import.meta.url));

const overSocket = (...more: string[]): ExternalRuntime => ({
  command: process.execPath,
  args: [SERVER, "--model", "{model}", "--name", "{name}", "--socket", "{socket}", ...more],
  readySeconds: 20,
});
const overPort = (...more: string[]): ExternalRuntime => ({
  command: process.execPath,
  args: [SERVER, "--model={model}", "--name={name}", "--port={port}", ...more],
  modelName: "Other.Name",
  readySeconds: 20,
});

let box: BenchBox;
beforeEach(async () => {
  box = await BenchBox.create({ settings: { restartMinSeconds: 0.1, restartMaxSeconds: 0.2 } });
  // Runners inherit it: what they leave behind can be told from what others have.
  process.env.TMPDIR = box.directory;
});
afterEach(() => {
  delete process.env.TMPDIR;
  return box.close();
});

const external = (runtime: ExternalRuntime) =>
  box.model("classifier", classifier(), GOLDEN.classifier, { provider: "npu", runtime });

/** Process ids of the servers of these tests, as children of their shells. */
const servers = (): number[] =>
  readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
      return command[1] === SERVER && command.some((part) => part.includes(box.directory))
        ? [Number(name)]
        : [];
    } catch {
      return [];
    }
  });

/** A server is a child of its shell, and that one of the runner. */
const parentOf = (pid: number): number =>
  Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

const folders = () => readdirSync(box.directory).filter((name) => name.startsWith("muster-ext-"));

const body = JSON.stringify({
  inputs: [{ name: "x", datatype: "FP32", shape: [1, 4], data: [10, 0, 0, 0] }],
});
const infer = (text = body) =>
  fetch(`${box.inference.status().endpoint.url}/v2/models/classifier/infer`, {
    method: "POST",
    body: text,
    signal: AbortSignal.timeout(10_000),
  });

async function serves(): Promise<number> {
  const response = await infer();
  assert.equal(response.status, 200, await response.clone().text());
  const { outputs } = (await response.json()) as { outputs: { data: number[] }[] };
  assert.ok(Math.abs((outputs[0]?.data[0] ?? 0) - 0.99986) < 1e-3);
  return servers()[0]!;
}

for (const [way, runtime] of [
  ["a Unix socket", overSocket()],
  ["a port, under another name, with answers in JSON", overPort("--json")],
] as const)
  test(`a server is started, proven and used over ${way}, and goes with its runner`, async () => {
    await box.serve([await external(runtime)]);
    const pid = await serves();
    const [component] = box.inference.status().components;
    assert.equal(component?.provider, "npu");
    await box.inference.idle();
    await until(() => !isRunning(pid), "the server is gone");
    await until(() => folders().length === 0, "its folder is gone");
  });

test("kill -9 of the server under load: coded answers, then it serves again by itself", async () => {
  await box.serve([await external(overSocket())]);
  const first = await serves();
  const seen = new Map<string, number>();
  let loading = true;
  const load = async (): Promise<void> => {
    while (loading) {
      const answer = await infer().catch(() => undefined);
      const { error } = ((await answer?.json().catch(() => ({}))) ?? {}) as { error?: string };
      const key = answer ? `${answer.status}${error ? " with a reason" : ""}` : "refused";
      seen.set(key, (seen.get(key) ?? 0) + 1);
      if (answer?.status !== 200) await sleep(10);
    }
  };
  const clients = [load(), load(), load(), load()];
  await sleep(200);
  process.kill(first, "SIGKILL");
  await until(() => servers().some((pid) => pid !== first), "another server runs");
  await until(async () => (await infer().catch(() => undefined))?.status === 200, "it serves again");
  loading = false;
  await Promise.all(clients);
  assert.ok((seen.get("200") ?? 0) > 0);
  for (const key of seen.keys()) assert.match(key, /^(200|refused|[45]\d\d with a reason)$/);
  assert.ok(
    box.lines.some((line) => /runtime is lost.*was ended by SIGKILL/.test(line)),
    box.lines.join("\n"),
  );
  assert.equal(isRunning(first), false);
  await box.inference.idle();
  await until(() => servers().length === 0, "no server is left");
});

test("a runner that is killed leaves no server behind", async () => {
  await box.serve([await external(overSocket())]);
  const pid = await serves();
  process.kill(parentOf(parentOf(pid)), "SIGKILL");
  await until(() => !isRunning(pid), "the server of the killed runner is gone");
  await until(async () => (await infer().catch(() => undefined))?.status === 200, "it serves again");
  await box.inference.idle();
  await until(() => servers().length === 0 && folders().length === 0, "nothing is left");
});

test("a server that hangs is killed and started again", async () => {
  await box.serve([await external({ ...overSocket("--hang-on", "666"), answerSeconds: 1 })]);
  const pid = await serves();
  const answer = await infer(body.replace("10", "666"));
  assert.equal(answer.ok, false);
  assert.match(await answer.text(), /external runtime is lost/);
  await until(() => !isRunning(pid), "the server that hung is gone");
  await until(() => box.events.length > 0, "the end of its runner is told");
  assert.match(box.events[0]!.message, /It said before: The external runtime is lost\. It did not answer/);
  await until(async () => (await infer().catch(() => undefined))?.status === 200, "it serves again");
  await box.inference.idle();
});

test("a server that says it is sick is started again", async () => {
  await box.serve([await external({ ...overSocket("--sick-after", "2"), healthSeconds: 0.05 })]);
  const [pid] = servers();
  await until(() => pid !== undefined && !isRunning(pid), "the sick server is gone");
  await box.inference.idle();
});

const failures: [string, ExternalRuntime, string, RegExp][] = [
  ["no program", { command: "/nowhere/npu-server", args: ["{port}"] }, "runtime.start-failed", /not found/],
  [
    "ends at once",
    { command: "/bin/sh", args: ["-c", "echo no licence; exit 3", "{port}"] },
    "runtime.start-failed",
    /exit code 3.*no licence/s,
  ],
  [
    "is never ready",
    { ...overSocket("--unready"), readySeconds: 2 },
    "runtime.start-failed",
    /not ready after 2 s: \/v2\/health\/ready says/,
  ],
  [
    "has no such model",
    {
      ...overSocket(),
      args: [SERVER, "--model={model}", "--name=else", "--socket={socket}"],
      readySeconds: 2,
    },
    "runtime.start-failed",
    /ready says 404/,
  ],
  ["computes something else", overSocket("--wrong"), "model.golden-mismatch", /0 of 2 golden cases/],
];
for (const [name, runtime, code, pattern] of failures)
  test(`a server that ${name} is refused with ${code}`, async () => {
    const model = await external(runtime);
    await assert.rejects(
      box.inference.prepare(box.deployment([model])),
      (error: { code: string; message: string }) => {
        assert.equal(error.code, code);
        assert.match(error.message, pattern);
        return true;
      },
    );
    await until(() => servers().length === 0 && folders().length === 0, "nothing is left");
  });

test("is measured as any other provider, the time of its server with it", async () => {
  const model = await external(overSocket());
  const signal = new AbortController().signal;
  const limits = { ...DEFAULT_MEASURE_LIMITS, benchMs: 300 };
  const measurement = await measureInChild(model, limits, signal);
  assert.ok("measured" in measurement, JSON.stringify(measurement));
  const { agreement, placement, memoryMiB, cpuMs } = measurement.measured;
  assert.deepEqual([agreement, placement], [1, null]);
  assert.ok(memoryMiB > 30 && cpuMs > 0);
  const dead = await measureInChild(
    await external(overSocket("--hang-on", "10")),
    { ...limits, measureSeconds: 3 },
    signal,
  );
  assert.ok("failure" in dead && dead.failure.code === "runner.hung");
  await until(() => servers().length === 0 && folders().length === 0, "nothing is left");
});

test("its provider is there when its probe says so", async () => {
  const usable = { ...overSocket(), probe: [SERVER, "--version"] };
  assert.equal(await probeRuntime(usable), true);
  assert.equal(await probeRuntime({ ...usable, probe: ["-e", "process.exit(1)"] }), false);
  assert.equal(await probeRuntime({ ...usable, command: "no-such-program" }), false);
  const { providers } = await detectRuntime({ npu: usable, broken: { ...usable, command: "/nowhere" } });
  assert.ok(providers.includes("npu") && !providers.includes("broken"));
  assert.ok(providers.indexOf("npu") < providers.indexOf("cpu"));
});
