import assert from "node:assert/strict";
import { test } from "node:test";
import { pipelineFault } from "@muster/control-plane/releases/pipeline-rules";
import type { Pipeline } from "@muster/shared/protocol/serving/pipeline";

const faultOf = (pipeline: Pipeline | undefined, labels?: string[]) =>
  pipelineFault({
    type: "model",
    name: "m",
    version: "1.0.0",
    variants: [],
    ...(labels && { labels }),
    ...(pipeline && { serving: { pipeline } }),
  });

test("a release is refused for steps that cannot work together, before any device sees it", () => {
  assert.equal(faultOf(undefined), undefined);
  const before = [{ op: "decode-image" }, { op: "layout", to: "NCHW" }] as const;
  const after = [{ op: "argmax" }, { op: "softmax", tensor: "class_score" }] as const;
  assert.equal(faultOf({ before: [...before], after: [...after] }, ["a"]), undefined);
  assert.match(faultOf({ before: [{ op: "decode-image" }] }) ?? "", /^Step before\[0\] 'decode-image' /);
  assert.match(faultOf({ before: [...before].reverse() }) ?? "", /^Step before\[0\] 'layout' /);
  assert.match(
    faultOf({ after: [{ op: "scale-boxes", boxes: "b", from: "unit" }] }) ?? "",
    /^Step after\[0\] 'scale-boxes' needs a pipeline that decodes pictures/,
  );
});
