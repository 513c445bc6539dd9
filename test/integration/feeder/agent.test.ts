import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { AgentProcess, command } from "../agent/agent-process.ts";
import { serveDevices } from "../agent/control-plane.ts";
import { type Fleet, makeFleet } from "../link/fleet.ts";
import { TestBroker } from "../link/test-broker.ts";
import { isRunning, until } from "../runner/bench-box.ts";

let fleet: Fleet;
let data = "";
let broker: TestBroker;
let devices: Awaited<ReturnType<typeof serveDevices>>;
const agents: AgentProcess[] = [];

before(async () => {
  fleet = await makeFleet();
});
after(() => fleet.remove());
beforeEach(async () => {
  data = mkdtempSync(join(tmpdir(), "muster-agent-"));
  broker = await TestBroker.start(fleet);
  broker.acknowledgeAll();
  devices = await serveDevices(fleet, broker);
});
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.end("SIGKILL");
  await devices.stop();
  await broker.stop();
  rmSync(data, { recursive: true });
});

function run(): AgentProcess {
  const options = ["--inference-port", "0", "--start-delay-seconds", "0"];
  const agent = new AgentProcess([
    "--data",
    data,
    ...options,
    "--server",
    devices.url,
    "--token",
    devices.token,
  ]);
  agents.push(agent);
  return agent;
}

const statusOf = async () => {
  const { code, out } = await command("status", "--data", data, "--json");
  return code === 0 ? JSON.parse(out) : {};
};

test("an agent feeds from the sources of its box, shows them, and leaves nobody behind when it is killed", async () => {
  const path = join(data, "in");
  mkdirSync(path);
  writeFileSync(join(path, "a.raw"), "1234");
  const secret = join(data, "secret");
  writeFileSync(secret, "tell nobody\n");
  const box = {
    sources: [
      { kind: "file", name: "in", model: "classifier", path, settleMs: 0 },
      {
        kind: "mqtt",
        name: "bus",
        model: "classifier",
        url: "mqtt://127.0.0.1:9",
        topic: "t",
        passwordFile: secret,
      },
    ],
    sinks: [{ kind: "webhook", name: "hook", url: "http://127.0.0.1:9/", secretFile: secret }],
  };
  writeFileSync(join(data, "box.json"), JSON.stringify(box));
  const agent = run();
  let pid = 0;
  await until(async () => {
    const { feeder } = await statusOf();
    pid = feeder?.pid ?? 0;
    return feeder?.sources[0]?.received === 1 && feeder.sources[1].lastError !== null;
  }, "the file is taken and the missing broker is told");
  const shown = await command("status", "--data", data);
  assert.match(shown.out, /^source +in \(file\): 1 received, 0 answered, \d+ deferred$/m);
  assert.match(shown.out, /^source +bus \(mqtt\): 0 answered \(.* source\.unreachable: /m);
  assert.match(shown.out, /^sink +hook \(webhook\): 0 delivered$/m);
  await broker.until(() => JSON.stringify(broker.of("batch")).includes("source.unreachable"));
  assert.ok(!JSON.stringify([agent.lines, shown.out]).includes("tell nobody"));
  await agent.end("SIGKILL");
  await until(() => !isRunning(pid), "the feeder has ended");
});

test("a box without sources has no process for them, and one that names nonsense is told so", async () => {
  const agent = run();
  await until(async () => (await statusOf()).feeder === null, "it runs without");
  await agent.end();
  const source = { kind: "file", name: "in", model: "m", path: "/in", sinks: ["nowhere"] };
  writeFileSync(join(data, "box.json"), JSON.stringify({ sources: [source] }));
  run();
  await until(async () => /names sink nowhere/.test((await statusOf()).boxFileFault ?? ""), "it is told so");
  assert.equal((await statusOf()).feeder, null);
});
