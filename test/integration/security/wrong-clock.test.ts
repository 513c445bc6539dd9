import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { systemClock } from "@muster/agent/update/clock";
import { AgentProcess } from "../agent/agent-process.ts";
import { serveDevices } from "../agent/control-plane.ts";
import { makeFleet } from "../link/fleet.ts";
import { TestBroker } from "../link/test-broker.ts";
import { DEVICE, World } from "../update/world.ts";

const YEAR = 365 * 86_400_000;

async function worldAt(context: TestContext) {
  const clock = { ahead: 0 };
  const shifted = { ...systemClock, now: () => Date.now() + clock.ahead };
  const world = await World.create({ clock: shifted });
  context.after(() => world.destroy());
  return { world, clock };
}

test("a clock that is years off stops nothing that runs, and lets nothing older in", async (context) => {
  const { world, clock } = await worldAt(context);
  const first = world.release("1.0.0", 1);
  const recorded = world.origin.directive(DEVICE, 1, first);
  await world.engine.offer(recorded, "mqtt");
  await world.ended(1);
  await world.engine.offer(world.origin.directive(DEVICE, 2, world.release("2.0.0", 2)), "mqtt");
  await world.ended(2);
  for (const ahead of [-20 * YEAR, 20 * YEAR, 0]) {
    clock.ahead = ahead;
    await world.reboot();
    await world.serves("2.0.0");
    await world.engine.offer(recorded, "mqtt");
    assert.equal(world.engine.state().refused?.failure.code, "directive.replayed");
    await world.serves("2.0.0");
  }
});

test("with a clock ahead new orders look ended: they are refused and told, and taken once it is right", async (context) => {
  const { world, clock } = await worldAt(context);
  await world.install(world.release("1.0.0", 1));
  const next = world.origin.directive(DEVICE, 2, world.release("2.0.0", 2));
  clock.ahead = 20 * YEAR;
  await world.engine.offer(next, "mqtt");
  assert.equal(world.engine.state().refused?.failure.code, "directive.expired");
  await world.serves("1.0.0");
  clock.ahead = 0;
  await world.engine.offer(next, "mqtt");
  assert.equal((await world.ended(2))?.outcome, "succeeded");
});

test("a certificate that is not valid yet by the clock of the box wipes nothing", async (context) => {
  const fleet = await makeFleet();
  const broker = await TestBroker.start(fleet);
  const devices = await serveDevices(fleet, broker);
  const data = mkdtempSync(join(tmpdir(), "muster-clock-"));
  const agents: AgentProcess[] = [];
  context.after(async () => {
    for (const agent of agents) await agent.end("SIGKILL");
    await devices.stop();
    await broker.stop();
    fleet.remove();
    rmSync(data, { recursive: true });
  });
  const run = () => {
    const args = ["--inference-port", "0", "--start-delay-seconds", "0", "--reconnect-max-seconds", "0.2"];
    agents.push(
      new AgentProcess(["--data", data, ...args, "--server", devices.url, "--token", devices.token]),
    );
    return agents.at(-1) as AgentProcess;
  };
  const said = async (agent: AgentProcess, msg: string) => {
    while (!agent.lines.some((line) => line.msg === msg)) await delay(20);
  };
  // To the box it is a year before everything was made.
  devices.rule.issuedAt = Date.now() + YEAR;
  const first = run();
  await said(first, "the device is enrolled");
  assert.equal(await first.end(), 0);
  const certificate = readFileSync(join(data, "identity", "device.crt"), "utf8");
  const second = run();
  await said(second, "link is connecting");
  await delay(500);
  assert.equal(second.child.exitCode, null, "it goes on");
  assert.equal(readFileSync(join(data, "identity", "device.crt"), "utf8"), certificate);
  assert.equal(await second.end(), 0);
});
