import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Birth, Heartbeat } from "@muster/shared/protocol/messages";
import { validate } from "@muster/shared/protocol/validate";
import { type Fleet, makeFleet } from "../link/fleet.ts";
import { TestBroker } from "../link/test-broker.ts";
import { AgentProcess, command } from "./agent-process.ts";
import { serveDevices } from "./control-plane.ts";

let fleet: Fleet;
before(async () => {
  fleet = await makeFleet();
});
after(() => fleet.remove());

let data = "";
let broker: TestBroker;
let devices: Awaited<ReturnType<typeof serveDevices>>;
const agents: AgentProcess[] = [];
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

const quick = [
  "--inference-port",
  "0",
  "--start-delay-seconds",
  "0",
  "--reconnect-max-seconds",
  "0.2",
  "--heartbeat-seconds",
  "0.5",
];

function run(...args: string[]): AgentProcess {
  const agent = new AgentProcess(["--data", data, ...quick, ...args]);
  agents.push(agent);
  return agent;
}

const joining = () => ["--server", devices.url, "--token", devices.token];

async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(20);
}

describe("muster-agent", () => {
  it("enrolls, tells how it is, answers on its socket, and ends in order", async () => {
    const agent = run(...joining(), "--name", "press-7", "--labels", "line=7");
    await broker.until(() => broker.of("heartbeat").length > 0);
    const birth = validate(Birth, broker.of("birth")[0], "wire.malformed");
    assert.ok(birth.hardware.providers.includes("cpu"));
    validate(Heartbeat, broker.of("heartbeat")[0], "wire.malformed");
    assert.deepEqual([devices.enrolled[0]?.name, devices.enrolled[0]?.labels], ["press-7", { line: "7" }]);
    assert.equal(readFileSync(join(data, "tuf", "root.json"), "utf8").includes('"root"'), true);
    const shown = await command("status", "--data", data, "--json");
    assert.equal(shown.code, 0, shown.err);
    const status = JSON.parse(shown.out);
    assert.deepEqual(
      [status.link.state, status.reported.runner, status.enrolled.server],
      ["online", "idle", devices.url],
    );
    assert.match((await command("status", "--data", data)).out, /^link +online since /m);
    assert.equal(statSync(join(data, "run", "agent.sock")).mode & 0o777, 0o600);
    assert.equal(await agent.end(), 0);
    assert.deepEqual(
      broker.of("will").map(({ session }) => session),
      [birth.session],
    );
    assert.equal(existsSync(join(data, "run", "agent.sock")), false);
    assert.equal((await command("status", "--data", data)).code, 5);
    assert.ok(!JSON.stringify(agent.lines).includes("s".repeat(32)), "no secret in the log");
  });

  it("needs the token once, and asks nobody when it is given again", async () => {
    const enrolled = await command("enroll", "--data", data, ...joining());
    assert.equal(enrolled.code, 0, enrolled.err);
    const again = await command("enroll", "--data", data, ...joining());
    assert.equal(again.out, enrolled.out);
    assert.match(again.err, /already/);
    run();
    await broker.until(() => broker.of("birth").length === 1);
    assert.equal(devices.enrolled.length, 1);
    assert.equal((await command("enroll", "--data", data, ...joining())).code, 0);
  });

  it("waits for a server that is not there yet", async () => {
    await devices.stop();
    const agent = run(...joining());
    await eventually(() => agent.lines.filter(({ code }) => code === "request.unreachable").length > 1);
    const shown = JSON.parse((await command("status", "--data", data, "--json")).out);
    assert.deepEqual([shown.enrolled, shown.reported.runner], [null, "idle"]);
    assert.equal(await agent.end(), 0);
  });

  it("ends with what is wrong when it cannot go on", async () => {
    const lost = run();
    assert.equal(await lost.ended(), 2);
    assert.match(lost.errors.join("\n"), /error enrollment.missing: .*\n.*muster-agent enroll/);
    const fooled = run(
      "--server",
      devices.url,
      "--token",
      devices.token.replace(/.$/, (last) => (last === "A" ? "E" : "A")),
    );
    assert.equal(await fooled.ended(), 1);
    assert.match(fooled.errors.join("\n"), /error enrollment.pin-mismatch/);
    assert.equal(devices.enrolled.length, 0);
  });

  it("goes on without the control plane when its certificate and its token have ended", async () => {
    devices.rule.issuedAt = Date.now() - 31 * 86_400_000;
    const first = run(...joining());
    await eventually(() => first.lines.some(({ msg }) => msg === "the device is enrolled"));
    assert.equal(await first.end(), 0);
    devices.rule.isTokenSpent = true;
    const second = run(...joining());
    await eventually(() => second.lines.some(({ code }) => code === "token.spent"));
    await eventually(() => second.lines.some(({ msg }) => msg === "link is connecting"));
    assert.equal(second.child.exitCode, null);
    const shown = JSON.parse((await command("status", "--data", data, "--json")).out);
    assert.equal(shown.reported.runner, "idle");
    assert.equal(await second.end(), 0);
  });

  it("keeps a second agent off its directory", async () => {
    const first = run(...joining());
    await broker.until(() => broker.of("birth").length === 1);
    const second = run();
    assert.equal(await second.ended(), 1);
    assert.match(second.errors.join("\n"), /agent.running/);
    assert.equal(first.child.exitCode, null);
  });

  it("goes on after a kill and after its database broke, and tells the latter", async () => {
    const first = run(...joining());
    await broker.until(() => broker.of("birth").length === 1);
    assert.equal(await first.end("SIGKILL"), "SIGKILL");
    writeFileSync(join(data, "agent.db"), "this is not a database any more, whatever it was before");
    rmSync(join(data, "agent.db-wal"), { force: true });
    run();
    await broker.until(() => broker.seqs().length > 0);
    const [batch] = broker.of("batch");
    assert.equal(batch.records[0].body.code, "storage.broken");
    const births = broker.of("birth");
    assert.notEqual(births[0].outbox.id, births.at(-1).outbox.id);
    assert.notEqual(births[0].session, births.at(-1).session);
  });

  it("polls for its directive while MQTT is away", async () => {
    const agent = run(...joining(), "--poll-seconds", "0.1", "--mqtt-url", "mqtts://127.0.0.1:1");
    await eventually(() => devices.asked.filter((path) => path.endsWith("/desired")).length > 2);
    assert.equal(await agent.end(), 0);
  });
});
