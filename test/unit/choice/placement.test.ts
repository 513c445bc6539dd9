import assert from "node:assert/strict";
import { test } from "node:test";
import { placementIn, placementShare } from "@muster/agent/runner/backend/placement";

const node = (provider: string, op = "Conv", name = `${op}_1_kernel_time`) => ({
  cat: "Node",
  name,
  args: { provider, op_name: op },
});

const shareOf = (events: Parameters<typeof placementIn>[0], provider: string): number =>
  placementShare(placementIn(events), provider);

test("counts nodes by the provider that ran them", () => {
  const mixed = [
    node("WebGpuExecutionProvider"),
    node("WebGpuExecutionProvider"),
    node("CPUExecutionProvider"),
  ];
  assert.equal(shareOf(mixed, "webgpu"), 2 / 3);
  assert.equal(shareOf(mixed, "cpu"), 1 / 3);
});

test("copies between memories and everything that is no kernel do not count", () => {
  const events = [
    node("CUDAExecutionProvider"),
    node("CUDAExecutionProvider", "MemcpyToHost"),
    node("CPUExecutionProvider", "Conv", "Conv_1_fence_before"),
    { cat: "Session", name: "model_run" },
    { cat: "Node", name: "Conv_1_kernel_time", args: {} },
  ];
  assert.equal(shareOf(events, "cuda"), 1);
});

test("a profile without nodes places nothing", () => {
  assert.equal(shareOf([], "cpu"), 0);
  assert.equal(shareOf([], "webgpu"), 0);
});
