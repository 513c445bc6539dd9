import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { until } from "../../support/fleet/until.ts";
import { TestControlPlane } from "../../support/operator/control-plane.ts";
import { AgentProcess } from "../agent/agent-process.ts";

const VALUE = "a camera password that nobody may read";

interface Secret {
  id: string;
  name: string;
  version: number;
  keyId: string;
}

/** A real control plane, a real agent, and an operator at a terminal. */
describe("secrets of devices", () => {
  let plane: TestControlPlane;
  let agent: AgentProcess;
  let data: string;
  let device: string;
  const file = (name: string): string => join(data, "secrets", name);
  const has = async (name: string, value: string) =>
    await until(async () => existsSync(file(name)) && readFileSync(file(name), "utf8") === value);

  async function set(name: string, value: string, ...scope: string[]): Promise<Secret> {
    const from = join(plane.home, "value");
    writeFileSync(from, value);
    return await plane.json<Secret>("secret", "set", name, "--from-file", from, ...scope);
  }

  function start(...more: string[]): AgentProcess {
    const quick = ["--inference-port", "0", "--start-delay-seconds", "0", "--poll-online-seconds", "1"];
    return new AgentProcess(["--data", data, "--name", "press-1", ...quick, ...more]);
  }

  before(async () => {
    plane = await TestControlPlane.start();
    data = join(plane.home, "box");
    const keys = join(plane.home, "keys");
    await plane.json("keys", "init", "--keys", keys);
    await plane.json("trust", "init", "--keys", keys);
    const { token } = await plane.json<{ token: string }>("token", "create", "--site", "eu/berlin");
    await set("camera", VALUE, "--site", "eu");
    agent = start("--server", plane.ready.deviceUrl, "--token", token);
    await until(async () => {
      const devices = await plane.json<{ id: string }[]>("device", "list");
      device = devices[0]?.id ?? "";
      return device !== "";
    });
  });
  after(async () => {
    await agent?.end("SIGKILL");
    await plane?.close();
  });

  it("come to the box as files that only its user can read", async () => {
    await has("camera", VALUE);
    assert.equal(statSync(file("camera")).mode & 0o777, 0o600);
    assert.equal(statSync(join(data, "secrets")).mode & 0o777, 0o700);
  });

  it("are in no answer, no list, no log, no database and no wire of the box in the clear", async () => {
    for (const path of [
      "/secrets",
      `/devices/${device}/secrets`,
      `/devices/${device}`,
      "/audit?limit=1000",
    ]) {
      const text = await (await plane.call("GET", path)).text();
      assert.doesNotMatch(text, /camera password|YSBjYW1lcmE/, path);
    }
    const keyFile = join(plane.ready.dataDir, "keys", "secrets.key");
    assert.equal(statSync(keyFile).mode & 0o777, 0o600);
    for (const name of readdirSync(plane.ready.dataDir).filter((each) => each.startsWith("control.db"))) {
      const bytes = readFileSync(join(plane.ready.dataDir, name));
      assert.ok(!bytes.includes("camera password") && !bytes.includes("YSBjYW1lcmE"), name);
    }
    assert.doesNotMatch(JSON.stringify(agent.lines), /camera password|YSBjYW1lcmE/);
  });

  it("follow the nearest place, change, and go when they are removed", async () => {
    const nearer = await set("camera", "of the site itself", "--site", "eu/berlin");
    await has("camera", "of the site itself");
    await set("camera", "of the device", "--device", "press-1");
    await has("camera", "of the device");
    await set("extra", "by selector", "--selector", "name=press-1");
    await has("extra", "by selector");
    await set("other", "not for this one", "--selector", "name=press-2");
    const secrets = await plane.json<Secret[]>("secret", "list", "--device", "press-1");
    assert.deepEqual(
      secrets.map(({ name }) => name),
      ["camera", "extra"],
    );
    const all = await plane.json<Secret[]>("secret", "list");
    for (const { id, name } of all) if (name === "extra") await plane.json("secret", "remove", id);
    await until(async () => !existsSync(file("extra")));
    await plane.json("secret", "remove", nearer.id);
    assert.ok(!existsSync(file("other")));
  });

  it("open no more under a key that was rotated away, and go on to be delivered", async () => {
    const former = readFileSync(join(plane.ready.dataDir, "keys", "secrets.key"), "utf8");
    const { keyId } = await plane.json<{ keyId: string }>("secret", "rotate-key");
    const now = readFileSync(join(plane.ready.dataDir, "keys", "secrets.key"), "utf8");
    assert.ok(now.startsWith(`${keyId} `) && now.trim().split("\n").length === 1 && now !== former);
    const secrets = await plane.json<Secret[]>("secret", "list");
    assert.ok(secrets.every((secret) => secret.keyId === keyId));
    await set("later", "after the rotation", "--site", "*");
    await has("later", "after the rotation");
    await has("camera", "of the device");
  });

  it("are kept by a quarantined box that gets nothing new, and come once it is released", async () => {
    await plane.json("device", "quarantine", "press-1", "--reason", "strange readings");
    await set("fresh", "not yet", "--site", "*");
    await until(async () => agent.lines.some(({ code }) => code === "secret.withheld"));
    assert.ok(!existsSync(file("fresh")));
    assert.equal(readFileSync(file("camera"), "utf8"), "of the device");
    await plane.json("device", "release", "press-1");
    await has("fresh", "not yet");
  });

  it("stay on the box while the control plane is gone", async () => {
    await plane.stop("SIGKILL");
    await agent.end();
    agent = start();
    await until(async () => agent.lines.length > 3);
    assert.equal(readFileSync(file("camera"), "utf8"), "of the device");
  });
});
