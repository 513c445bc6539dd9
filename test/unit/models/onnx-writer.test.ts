import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { encodeModel, type Graph } from "../../models/onnx/graph.ts";
import { ProtobufMessage } from "../../models/onnx/protobuf.ts";
import { floats, integers, scalar } from "../../models/onnx/tensor.ts";

test("varints, floats and nested messages have the bytes of the protobuf documentation", () => {
  const hex = (message: ProtobufMessage): string => Buffer.from(message.encode()).toString("hex");
  assert.equal(hex(new ProtobufMessage().integer(1, 150)), "089601");
  assert.equal(hex(new ProtobufMessage().text(2, "testing")), "120774657374696e67");
  assert.equal(hex(new ProtobufMessage().message(3, new ProtobufMessage().integer(1, 150))), "1a03089601");
  assert.equal(hex(new ProtobufMessage().integer(1, -1)), "08ffffffffffffffffff01");
  assert.equal(hex(new ProtobufMessage().float(2, 1)), "150000803f");
});

test("every integer of 53 bits reads back from its varint", () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      const bytes = new ProtobufMessage().integer(1, value).encode().subarray(1);
      const read = bytes.reduceRight((sum, byte) => (sum << 7n) | BigInt(byte & 127), 0n);
      assert.equal(BigInt.asIntN(64, read), BigInt(value));
    }),
  );
});

test("ONNX Runtime loads a written graph, reports its metadata and computes it", async () => {
  const graph: Graph = {
    name: "affine",
    inputs: [{ name: "x", type: "float32", dims: ["N", 3] }],
    outputs: [{ name: "y", type: "float32", dims: ["N", 2] }],
    nodes: [
      {
        op: "Gemm",
        inputs: ["x", "w", "b"],
        outputs: ["h"],
        attributes: { transB: { int: 1 }, alpha: { float: 0.5 } },
      },
      { op: "Mul", inputs: ["h", "two"], outputs: ["doubled"] },
      { op: "Reshape", inputs: ["doubled", "shape"], outputs: ["y"] },
    ],
    constants: [
      floats("w", [2, 3], Float32Array.of(1, 2, 3, 4, 5, 6)),
      floats("b", [2], Float32Array.of(10, -10)),
      scalar("two", 2),
      integers("shape", [-1, 2]),
    ],
  };
  const session = await InferenceSession.create(encodeModel(graph, { family: "test" }), {
    intraOpNumThreads: 1,
  });
  const [input, output] = [session.inputMetadata[0]!, session.outputMetadata[0]!];
  assert.ok(input.isTensor && output.isTensor);
  assert.deepEqual([input.name, input.type, input.shape], ["x", "float32", ["N", 3]]);
  assert.deepEqual([output.name, output.type, output.shape], ["y", "float32", ["N", 2]]);
  const { y } = await session.run({ x: new Tensor("float32", Float32Array.of(1, 1, 1, 0, 0, 2), [2, 3]) });
  assert.deepEqual([...(y!.data as Float32Array)], [26, -5, 26, -8]);
  await session.release();
});
