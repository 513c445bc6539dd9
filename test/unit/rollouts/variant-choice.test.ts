import assert from "node:assert/strict";
import { test } from "node:test";
import { downloadSize } from "@muster/control-plane/rollouts/download-size";
import { provesRelease } from "@muster/control-plane/rollouts/proof";
import type { HardwareFacts } from "@muster/shared/protocol/hardware";
import type { ModelComponent, ReleaseManifest } from "@muster/shared/protocol/release";
import type { ReportedState, RunningComponent } from "@muster/shared/protocol/state";

const digest = (letter: string) => `sha256:${letter.repeat(64)}` as const;
const artifact = (letter: string, size: number) => ({ name: "f", digest: digest(letter), size });

const variant = (id: string, letter: string, size: number, providers: string[]) => ({
  id,
  precision: "int8" as const,
  requires: { providers },
  model: artifact(letter, size),
  golden: artifact("e", 10),
  reference: artifact("f", 1),
});

const model = (version: string, serving?: ModelComponent["serving"]): ModelComponent => ({
  type: "model",
  name: "eyes",
  version,
  variants: [
    variant("gpu", "a", 1000, ["cuda"]),
    variant("int8", "b", 100, ["cpu"]),
    variant("fp32", "c", 300, ["cpu"]),
  ],
  ...(serving && { serving }),
});

const manifest = (...components: ModelComponent[]): ReleaseManifest => ({
  schema: "muster.release/1",
  name: "line",
  version: "1.0.0",
  sequence: 1,
  components,
  probation: {
    minSeconds: 0,
    deadlineSeconds: 1,
    minInferences: 0,
    maxErrorRate: 1,
    maxP95Ms: 1,
    maxCrashes: 0,
  },
});

const cpuBox: HardwareFacts = {
  platform: "linux",
  arch: "x64",
  cpuModel: "test",
  cores: 2,
  memoryMiB: 1024,
  opset: 26,
  providers: ["cpu"],
};

test("a box that takes the first fitting variant downloads that one", () => {
  assert.equal(downloadSize(manifest(model("1.0.0")), cpuBox), 111);
  assert.equal(downloadSize(manifest(model("1.0.0", { objective: { prefer: "order" } })), cpuBox), 111);
});

test("a box that measures downloads every candidate, shared files once", () => {
  const objective = { prefer: "latency" as const };
  assert.equal(downloadSize(manifest(model("1.0.0", { objective })), cpuBox), 411);
  const both = { ...cpuBox, providers: ["cuda", "cpu"] };
  assert.equal(downloadSize(manifest(model("1.0.0", { objective })), both), 1411);
  const two = { ...objective, maxCandidates: 2 };
  assert.equal(downloadSize(manifest(model("1.0.0", { objective: two })), both), 1111);
});

test("a variant of the cascade is downloaded with the chosen one", () => {
  const cascade = [{ use: "variant" as const, variant: "fp32", when: ["heat" as const] }];
  assert.equal(downloadSize(manifest(model("1.0.0", { cascade })), cpuBox), 411);
});

test("a box that runs nothing of it downloads nothing", () => {
  assert.equal(downloadSize(manifest(model("1.0.0")), { ...cpuBox, providers: ["webgpu"] }), 0);
});

const reported = (...components: RunningComponent[]): ReportedState => ({
  generation: 1,
  running: { name: "line", version: "1.0.0", sequence: 1, digest: digest("d") },
  components,
  runner: "ready",
  update: null,
  lastResult: null,
  refused: null,
});

const runs = (version: string, id: string, letter: string): RunningComponent => ({
  type: "model",
  name: "eyes",
  version,
  digest: digest(letter),
  variant: id,
  provider: "cpu",
});

test("a device proves a release with whichever of its variants it chose, and with no other file", () => {
  const release = manifest(model("1.0.0"));
  for (const [id, letter] of [
    ["gpu", "a"],
    ["int8", "b"],
    ["fp32", "c"],
  ] as const)
    assert.equal(provesRelease(release, digest("d"), reported(runs("1.0.0", id, letter))), true);
  assert.equal(provesRelease(release, digest("d"), reported(runs("1.0.0", "int8", "c"))), false);
  assert.equal(provesRelease(release, digest("d"), reported(runs("1.0.1", "int8", "b"))), false);
  assert.equal(provesRelease(release, digest("9"), reported(runs("1.0.0", "int8", "b"))), false);
});

test("two versions of one model are proven one by one", () => {
  const release = manifest(model("1.0.0"), model("2.0.0"));
  const both = reported(runs("2.0.0", "fp32", "c"), runs("1.0.0", "int8", "b"));
  assert.equal(provesRelease(release, digest("d"), both), true);
  const twice = reported(runs("1.0.0", "int8", "b"), runs("1.0.0", "int8", "b"));
  assert.equal(provesRelease(release, digest("d"), twice), false);
});
