import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ReleaseManifest } from "@muster/shared/protocol/release";
import { sha256 } from "@muster/shared/trust/digest";
import type { DeviceOrder } from "./device.ts";
import { DEVICE, type ReleasePlan, World } from "./world.ts";

const SCRIPT = fileURLToPath(new URL("./device.js", import.meta.url));
/** More points than an update passes. */
const MAX_POINTS = 200;

/** Runs the device until it ends or its power goes. @returns seq of the last record it knew as stored */
async function runDevice(order: DeviceOrder): Promise<{ killed: boolean; lastSeq: number }> {
  const child = spawn(process.execPath, [SCRIPT, JSON.stringify(order)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
    child.on("close", (...ended) => resolve(ended)),
  );
  assert.ok(code === 0 || signal === "SIGKILL", `the device ended with ${code} ${signal}`);
  return { killed: signal !== null, lastSeq: Number(output.trim().split("\n").at(-1) ?? 0) };
}

/** Whatever `current` leads to has every file of its manifest, whole. */
function assertWhole(dataDir: string, versions: string[]): void {
  const current = join(dataDir, "current");
  if (!existsSync(current)) return;
  const manifest = JSON.parse(readFileSync(join(current, "manifest.json"), "utf8")) as ReleaseManifest;
  assert.ok(versions.includes(manifest.version), `${manifest.version} is in place`);
  for (const component of manifest.components) {
    const [file, digest] =
      component.type === "model"
        ? [
            `models/${component.name}/${component.version}/${component.variants[0]?.id}/model.onnx`,
            component.variants[0]?.model.digest,
          ]
        : [`config/${component.name}.json`, component.document.digest];
    assert.equal(
      sha256(readFileSync(join(current, file))),
      digest,
      `${file} of ${manifest.version} is damaged`,
    );
  }
}

interface Case {
  world: World;
  release: ReleaseRef;
  /** Data directory of a device that has committed 1.0.0. */
  base: string;
  directive: string;
}

async function withCase(plan: ReleasePlan, use: (prepared: Case) => Promise<void>): Promise<void> {
  const world = await World.create();
  try {
    await use(await prepare(world, plan));
  } finally {
    await world.destroy();
  }
}

async function prepare(world: World, plan: ReleasePlan): Promise<Case> {
  await world.install(world.release("1.0.0", 1, { config: "[1]" }));
  const release = world.release("2.0.0", 2, { config: "[2]", padding: 200_000, ...plan });
  await world.shutdown();
  const base = `${world.dataDir}-base`;
  cpSync(world.dataDir, base, { recursive: true, verbatimSymlinks: true });
  const directive = world.origin.directive(DEVICE, 2, release);
  return { world, release, base, directive };
}

const restore = ({ world, base }: Case): void => {
  rmSync(world.dataDir, { recursive: true });
  cpSync(base, world.dataDir, { recursive: true, verbatimSymlinks: true });
};

/** The power is back for good: the directive arrives again, and the device comes to an end. */
async function recover({ world, directive }: Case, lastSeq: number, expected: string[]): Promise<string> {
  assertWhole(world.dataDir, ["1.0.0", "2.0.0"]);
  await world.boot();
  assert.ok(world.outbox.position().lastSeq >= lastSeq, "a stored record is gone");
  await world.engine.offer(directive, "https");
  const result = await world.ended(2);
  const version = result?.outcome === "succeeded" ? "2.0.0" : "1.0.0";
  await world.serves(version);
  assert.equal(world.current(), version);
  assertWhole(world.dataDir, [version]);
  const outcomes = world
    .updates()
    .flatMap(({ generation, outcome }) => (generation === 2 && outcome ? [outcome] : []));
  assert.deepEqual(outcomes, [result?.outcome]);
  assert.ok(expected.includes(String(result?.outcome)), `it ended as ${result?.outcome}`);
  await world.shutdown();
  return version;
}

const cases: [string, ReleasePlan, DeviceOrder["from"], string[]][] = [
  ["a good release is on the new one", {}, "start", ["succeeded"]],
  [
    "a release that fails probation is on the old one",
    { fate: { observed: { crashes: 1 } } },
    "fetched",
    ["failed-rolled-back"],
  ],
  [
    "a release with wrong golden outputs is on the old one",
    { fate: { prepare: "model.golden-mismatch" } },
    "fetched",
    ["failed-unchanged"],
  ],
];
for (const [name, plan, from, outcomes] of cases)
  test(`killed at every point, a device with ${name}, whole`, () =>
    withCase(plan, async (prepared) => {
      const { world, directive } = prepared;
      const order = { dataDir: world.dataDir, directive, generation: 2, url: world.origin.url, from };
      let killAt = 0;
      for (let killed = true; killed; ) {
        killAt += 1;
        assert.ok(killAt < MAX_POINTS);
        restore(prepared);
        const run = await runDevice({ ...order, killAt });
        killed = run.killed;
        await recover(prepared, run.lastSeq, outcomes);
      }
      assert.ok(killAt > 3, `only ${killAt} points`);
    }));

test("killed again and again, a device ends on one whole release", () =>
  withCase({}, async (prepared) => {
    const { world, directive } = prepared;
    const order = { dataDir: world.dataDir, directive, generation: 2, url: world.origin.url };
    for (const killAt of [9, 21]) {
      restore(prepared);
      let lastSeq = 0;
      for (let starts = 0; starts < 6; starts++) {
        const run = await runDevice({ ...order, killAt, from: "start" });
        assertWhole(world.dataDir, ["1.0.0", "2.0.0"]);
        lastSeq = Math.max(lastSeq, run.lastSeq);
        if (!run.killed) break;
      }
      await recover(prepared, lastSeq, ["succeeded", "failed-unchanged", "failed-rolled-back"]);
    }
  }));
