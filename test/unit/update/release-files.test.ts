import assert from "node:assert/strict";
import { test } from "node:test";
import { candidatesOf, deploymentOf } from "@muster/agent/update/deploy";
import { planRelease, stillFits, withoutLosers } from "@muster/agent/update/installed";
import { filesOf } from "@muster/agent/update/release-files";
import type { HardwareFacts } from "@muster/shared/protocol/hardware";
import type { ModelComponent, ReleaseManifest } from "@muster/shared/protocol/release";

const artifact = (name: string) => ({ name, digest: `sha256:${"a".repeat(64)}`, size: 1 });

const model = (
  name: string,
  version: string,
  variants: [id: string, ...providers: string[]][],
  serving?: ModelComponent["serving"],
): ModelComponent => ({
  type: "model",
  name,
  version,
  variants: variants.map(([id, ...providers]) => ({
    id,
    precision: "int8",
    requires: { providers },
    model: artifact("m"),
    golden: artifact("g"),
    reference: artifact("r"),
  })),
  ...(serving && { serving }),
});

const release = (...components: ModelComponent[]): { manifest: ReleaseManifest; text: string } => ({
  text: "text",
  manifest: {
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
  },
});

const facts: HardwareFacts = {
  platform: "linux",
  arch: "x64",
  cpuModel: "test",
  cores: 2,
  memoryMiB: 1024,
  opset: 26,
  providers: ["webgpu", "npu", "cpu"],
};
const ref = { name: "line", version: "1.0.0", sequence: 1, digest: `sha256:${"b".repeat(64)}` };
const npu = { command: "npu", args: ["{port}"] };
const context = { folder: "/data/r", runtimes: { npu } };
const folders = (installed: ReturnType<typeof planRelease>) => [
  ...new Set(filesOf(installed).map(({ path }) => path.split("/").slice(1, -1).join("/"))),
];

test("two versions of a model lie side by side", () => {
  const variants: [string, ...string[]][] = [["int8", "cpu"]];
  const installed = planRelease(
    release(model("eyes", "1.0.0", variants), model("eyes", "2.0.0", variants)),
    facts,
  );
  assert.deepEqual(folders(installed), ["eyes/1.0.0/int8", "eyes/2.0.0/int8"]);
  assert.deepEqual(
    deploymentOf(ref, installed, context).models.map(({ version, modelPath }) => [version, modelPath]),
    [
      ["1.0.0", "/data/r/models/eyes/1.0.0/int8/model.onnx"],
      ["2.0.0", "/data/r/models/eyes/2.0.0/int8/model.onnx"],
    ],
  );
});

test("unmeasured, the first that fits runs, with its other providers in reserve", () => {
  const variants: [string, ...string[]][] = [
    ["gpu", "cuda"],
    ["any", "tensorrt", "npu", "cpu"],
    ["int8", "cpu"],
  ];
  const installed = planRelease(release(model("eyes", "1.0.0", variants)), facts);
  const [deployed] = deploymentOf(ref, installed, context).models;
  assert.deepEqual([deployed?.variant, deployed?.provider, deployed?.fallback], ["any", "npu", true]);
  assert.deepEqual(deployed?.runtime, npu);
  assert.deepEqual(
    deployed?.ladder?.map(({ variant, provider, fallback, runtime }) => [
      variant,
      provider,
      fallback,
      runtime,
    ]),
    [["any", "cpu", true, undefined]],
  );
  assert.deepEqual(folders(installed), ["eyes/1.0.0/any"]);
});

test("measured, every candidate is fetched, and after the commit the chosen one with its reserve is kept", () => {
  const variants: [string, ...string[]][] = [
    ["fp32", "webgpu", "cpu"],
    ["int8", "cpu"],
    ["int4", "cpu"],
  ];
  const component = model("eyes", "1.0.0", variants, { objective: { prefer: "latency", maxCandidates: 3 } });
  const planned = planRelease(release(component), facts);
  assert.deepEqual(
    candidatesOf(component, planned, context).map(({ variant, provider }) => [variant, provider]),
    [
      ["fp32", "webgpu"],
      ["fp32", "cpu"],
      ["int8", "cpu"],
    ],
  );
  assert.deepEqual(folders(planned), ["eyes/1.0.0/fp32", "eyes/1.0.0/int8"]);
  const chosen = { variant: "int8", provider: "cpu", fallback: false };
  const choices = { "eyes@1.0.0": { ...planned.choices["eyes@1.0.0"]!, chosen, ladder: [] } };
  const committed = withoutLosers({ ...planned, choices });
  assert.deepEqual(folders(committed), ["eyes/1.0.0/int8"]);
  assert.equal(stillFits(committed, facts), true);
  assert.equal(stillFits(committed, { ...facts, providers: ["webgpu"] }), false);
});

test("what the cascade names comes along: variants and other models of the release", () => {
  const cascade = [
    { use: "variant" as const, variant: "small", when: ["heat" as const] },
    { use: "variant" as const, variant: "gpu", when: ["failure" as const] },
    { use: "model" as const, model: "simple", when: ["failure" as const] },
  ];
  const variants: [string, ...string[]][] = [
    ["large", "cpu"],
    ["small", "cpu"],
    ["gpu", "cuda"],
  ];
  const eyes = model("eyes", "1.0.0", variants, { cascade });
  const installed = planRelease(release(eyes, model("simple", "3.0.0", [["only", "cpu"]])), facts);
  const [deployed] = deploymentOf(ref, installed, context).models;
  assert.deepEqual(
    deployed?.alternatives?.map(({ name, variant }) => [name, variant]),
    [
      ["eyes", "small"],
      ["simple", "only"],
    ],
  );
  assert.deepEqual(folders(withoutLosers(installed)), [
    "eyes/1.0.0/large",
    "eyes/1.0.0/small",
    "simple/3.0.0/only",
  ]);
});
