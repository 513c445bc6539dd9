import assert from "node:assert/strict";
import { test } from "node:test";
import { isMusterError } from "@muster/shared/errors";
import type { HardwareFacts } from "@muster/shared/protocol/hardware";
import type { ModelComponent, Requirements } from "@muster/shared/protocol/release";
import { plannedVariants } from "@muster/shared/protocol/variants";

const artifact = { name: "m.onnx", digest: `sha256:${"a".repeat(64)}`, size: 1 };
const component = (...requires: Requirements[]): ModelComponent => ({
  type: "model",
  name: "vibration",
  version: "1.0.0",
  variants: requires.map((needs, index) => ({
    id: `v${index}`,
    precision: "int8",
    requires: needs,
    model: artifact,
    golden: artifact,
    reference: artifact,
  })),
});
const facts: HardwareFacts = {
  platform: "linux",
  arch: "arm64",
  cpuModel: "Cortex-A72",
  cores: 4,
  memoryMiB: 2048,
  opset: 26,
  providers: ["webgpu", "cpu"],
};

const choices: [string, Requirements[], string, string][] = [
  ["the first that fits", [{ providers: ["cpu"] }, { providers: ["cpu"] }], "v0", "cpu"],
  ["the variant's own order of providers", [{ providers: ["cuda", "cpu", "webgpu"] }], "v0", "cpu"],
  ["past a missing provider", [{ providers: ["cuda"] }, { providers: ["cpu"] }], "v1", "cpu"],
  ["past another architecture", [{ providers: ["cpu"], arch: ["x64"] }, { providers: ["cpu"] }], "v1", "cpu"],
  ["past too much memory", [{ providers: ["cpu"], minMemoryMiB: 4096 }, { providers: ["cpu"] }], "v1", "cpu"],
  [
    "its hardware class",
    [{ providers: ["webgpu"], hardwareClasses: ["linux-arm64-webgpu"] }],
    "v0",
    "webgpu",
  ],
];
for (const [name, requires, id, provider] of choices)
  test(`takes ${name}`, () => {
    const { candidates } = plannedVariants(component(...requires), facts);
    assert.deepEqual(
      candidates.map(({ variant, provider }) => [variant.id, provider]),
      [[id, provider]],
    );
  });

test("says for every variant what the device lacks", () => {
  const impossible = component(
    { providers: ["cuda"] },
    { providers: ["cpu"], hardwareClasses: ["linux-x64-cpu"] },
  );
  assert.throws(
    () => plannedVariants(impossible, facts),
    (error) =>
      isMusterError(error, "release.no-variant") &&
      error.message.includes("v0 needs provider cuda, has webgpu, cpu") &&
      error.message.includes("v1 is for linux-x64-cpu, this is linux-arm64-webgpu"),
  );
});
