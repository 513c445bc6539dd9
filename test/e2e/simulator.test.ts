import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ControlPlane } from "../plant/control-plane.ts";

const SIMULATOR = fileURLToPath(new URL("../simulator/main.js", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "muster-simulator-test-"));
after(() => rmSync(directory, { recursive: true, force: true }));

interface Summary {
  held: boolean;
  devices: number;
  expectations: { held: boolean; found: string }[];
  counts: { online: number; produced: number; acknowledged: number; results: number };
  rollouts: Record<string, { state: string; reason: string | null }>;
}

async function simulate(...args: string[]): Promise<{ code: number; summary: Summary; said: string }> {
  const child = spawn(process.execPath, [SIMULATOR, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let [out, said] = ["", ""];
  child.stdout.on("data", (part: Buffer) => {
    out += part;
  });
  child.stderr.on("data", (part: Buffer) => {
    said += part;
  });
  const [code] = (await once(child, "close")) as [number];
  return { code, said, summary: JSON.parse(out.trim().split("\n").at(-1) || "null") as Summary };
}

const fleet = ["--devices", "500", "--sites", "25", "--seed", "11", "--keep", join(directory, "fleet")];

test("500 devices come back from a storm of reconnections and lose nothing", async () => {
  const { code, summary, said } = await simulate(...fleet, "--scenario", "reconnect-storm");
  assert.equal(code, 0, said);
  assert.equal(summary.counts.online, 500);
  assert.equal(summary.counts.acknowledged, summary.counts.produced);
});

test("cloned devices disturb nobody but each other", async () => {
  const { code, said } = await simulate(...fleet, "--scenario", "duplicate-client-id");
  assert.equal(code, 0, said);
});

test("a release that dies on one hardware class is turned back before it leaves the canary wave", async () => {
  const { code, summary, said } = await simulate(...fleet, "--scenario", "bad-release-on-one-class");
  assert.equal(code, 0, said);
  assert.equal(summary.rollouts.up?.state, "reverted");
});

/** A scenario of a moment in which all devices should be online. */
function moment(name: string, events: readonly object[]): string {
  const file = join(directory, `${name}.json`);
  const scenario = {
    schema: "muster.scenario/1",
    description: "",
    limitSeconds: 2,
    devices: { startDelaySeconds: 0 },
    releases: [{ name: "detector", version: "1.0.0" }],
    events,
    expect: [{ kind: "online" }],
  };
  writeFileSync(file, JSON.stringify(scenario));
  return file;
}

test("an expectation that does not hold is told with what was found", async () => {
  const file = moment("hopeless", [{ kind: "site-outage", at: 0, devices: { count: 1 } }]);
  const { code, summary } = await simulate("--devices", "3", "--scenario", file);
  assert.equal(code, 1);
  assert.equal(summary.expectations[0]?.found, "2 of 3 devices are online");
});

test("what cannot be run is refused with a code", async () => {
  const { code, said } = await simulate("--scenario", join(directory, "nowhere.json"));
  assert.equal(code, 2);
  assert.match(said, /^scenario\.invalid: /);
});

test("devices join a control plane that runs already", async () => {
  const plane = new ControlPlane(join(directory, "running"), {
    heartbeatIntervalMs: 2000,
    rolloutTickMs: 250,
  });
  await plane.start();
  try {
    const { operatorUrl } = plane.addresses;
    const keys = join(directory, "keys");
    const strange = ["--url", operatorUrl, "--token", plane.operatorToken, "--keys", keys];
    const { code, said } = await simulate("--devices", "5", ...strange, "--scenario", moment("calm", []));
    assert.equal(code, 0, said);
  } finally {
    await plane.stop();
  }
});
