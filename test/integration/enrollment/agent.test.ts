import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { DeviceResource, Timeline } from "@muster/control-plane/api/schemas/fleet";
import { Plant } from "../../plant/plant.ts";
import { until } from "../../plant/wait.ts";
import { Swtpm } from "../../support/swtpm/swtpm.ts";
import { AgentProcess, command } from "../agent/agent-process.ts";

/** The whole way with real programs: `muster` at a terminal, a control plane, an agent on a box with a TPM. */
describe("a real box with a TPM", () => {
  let chip: Swtpm;
  let plant: Plant;
  before(async () => {
    chip = await Swtpm.make();
    plant = new Plant({ MUSTER_TPM: chip.setting });
    await plant.start();
  });
  after(async () => {
    await plant?.stop();
    await chip?.stop();
  });

  const device = () => plant.operator().json<DeviceResource>("device", "show", "press-1");

  it("enrolls by its TPM and keeps its keys sealed", async () => {
    const shown = await device();
    assert.equal(shown.identity.assurance, "tpm-pinned");
    assert.match(shown.identity.ekName ?? "", /^000b[0-9a-f]{64}$/);
    const files = readdirSync(join(plant.device.dataDirectory, "identity"));
    assert.ok(files.includes("device.key.sealed") && !files.includes("device.key"));
    const { stdout } = await plant.operator().run("device", "show", "press-1");
    assert.match(stdout, /tpm-pinned/);
    assert.match(stdout, /No authority is known that leads to CN=swtpm-localca/);
  });

  it("believes a maker by the command line", async () => {
    const file = join(plant.directory, "maker.pem");
    writeFileSync(file, chip.issuer);
    const operator = plant.operator();
    const added = await operator.json<{ id: string; name: string }>("trust", "ek-root", "add", file);
    assert.match(added.name, /swtpm-localca/);
    const again = await operator.json<{ id: string }>("trust", "ek-root", "add", file);
    assert.equal(again.id, added.id);
    assert.match((await operator.run("trust", "ek-root", "list")).stdout, /swtpm-localca/);
    assert.equal(
      (await operator.run("trust", "ek-root", "add", join(plant.directory, "no.pem"))).exitCode,
      2,
    );
    await operator.json("trust", "ek-root", "remove", added.id.slice(0, 12));
    const { stdout, stderr } = await operator.run("trust", "ek-root", "list");
    assert.match(`${stdout}${stderr}`, /every TPM counts as pinned/);
    const refused = await operator.run("token", "create", "--site", "eu", "--min-assurance", "surest");
    assert.equal(refused.exitCode, 2);
    const token = ["token", "create", "--site", "eu", "--min-assurance", "tpm-certified"];
    assert.equal((await operator.json<{ minAssurance: string }>(...token)).minAssurance, "tpm-certified");
  });

  it("goes into quarantine and comes back", async () => {
    const operator = plant.operator();
    await operator.json("device", "quarantine", "press-1", "--reason", "strange results");
    const shown = await device();
    assert.equal(shown.status, "quarantined");
    assert.equal(shown.connected, true);
    await operator.json("device", "release", "press-1");
    assert.equal((await device()).status, "active");
  });

  it("goes on with what it runs where its TPM does not open its keys, and comes back with it", async () => {
    await plant.device.stop();
    const box = ["--data", plant.device.dataDirectory, "--inference-port", "0"];
    const locked = new AgentProcess([...box, "--tpm", "off"]);
    const status = async () => {
      const { code, out } = await command("status", "--data", plant.device.dataDirectory, "--json");
      const told = code === 5 ? {} : (JSON.parse(out) as { locked?: string | null });
      return "locked" in told ? told : undefined;
    };
    try {
      const { locked: why } = await until("the agent to run", 30_000, status);
      assert.match(why ?? "", /is sealed by a TPM: this box shows none/);
      assert.ok(locked.lines.some((line) => line.code === "enrollment.keys-sealed"));
    } finally {
      assert.equal(await locked.end(), 0);
    }
    plant.startDevice();
    await until("the device to be back", 30_000, async () => (await device()).connected || undefined);
  });

  it("wipes itself when it is told to, says so, and does not start again", async () => {
    const { id } = await device();
    const data = plant.device.dataDirectory;
    await plant.operator().json("device", "decommission", "press-1", "--reason", "the shop closed");
    const gone = await until("the device to be wiped", 40_000, async () => {
      const shown = await plant.operator().json<DeviceResource>("device", "show", id);
      return shown.decommissionedAt === null ? undefined : shown;
    });
    assert.equal(gone.status, "revoked");
    await until("its files to be gone", 20_000, async () => !existsSync(join(data, "agent.db")) || undefined);
    assert.deepEqual(
      readdirSync(data).filter((name) => name !== "run"),
      ["decommissioned.json"],
    );
    const entries = await plant.operator().json<Timeline["entries"]>("device", "timeline", id);
    const codes = entries.flatMap((entry) => (entry.kind === "event" ? [entry.code] : []));
    for (const code of ["command.wiping", "command.wiped"]) assert.ok(codes.includes(code), codes.join());

    await plant.device.stop();
    plant.startDevice();
    const log = join(plant.directory, "logs", "press-1.log");
    await until("the agent to refuse", 20_000, async () => {
      const lines = readFileSync(log, "utf8").split("\n").slice(-8).join();
      return /decommissioned\.json says when/.test(lines) || undefined;
    });
    await plant.device.stop();

    // A new token and a hand that takes the marker away bring the box back, with new keys and its old TPM.
    rmSync(join(data, "decommissioned.json"));
    await plant.operator().json("device", "rename", id, "press-1-before");
    const created = await plant.operator().json<{ token: string }>("token", "create", "--site", "eu/berlin");
    plant.joinToken = created.token;
    plant.startDevice();
    const back = await until("the box to be back", 40_000, async () => {
      const shown = await plant.operator().run("device", "show", "press-1", "--json");
      const found = shown.exitCode === 0 ? (JSON.parse(shown.stdout) as DeviceResource) : undefined;
      return found && found.id !== id && found.connected ? found : undefined;
    });
    assert.equal(back.identity.ekName, gone.identity.ekName);
  });
});
