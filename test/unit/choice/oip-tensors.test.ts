import assert from "node:assert/strict";
import { test } from "node:test";
import { inferRequest, outputsIn, specsIn } from "@muster/agent/external/oip-tensors";
import type { TensorValue } from "@muster/agent/runner/tensors/datatypes";
import { isMusterError } from "@muster/shared/errors";
import fc from "fast-check";

const answer = (json: unknown, blobs: Uint8Array[] = []) => {
  const header = Buffer.from(typeof json === "string" ? json : JSON.stringify(json));
  const headerBytes = blobs.length > 0 ? header.byteLength : undefined;
  return { status: 200, headerBytes, body: Buffer.concat([header, ...blobs]) };
};
const specs = [{ name: "y", datatype: "FP32" as const, shape: ["batch", 2] }];
const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
const binary = { name: "y", datatype: "FP32", shape: [1, 2], parameters: { binary_data_size: 8 } };

test("reads outputs in binary and in JSON, whatever their order", () => {
  for (const got of [
    outputsIn(answer({ outputs: [binary] }, [floats(1, 2)]), ["y"], specs),
    outputsIn(answer({ outputs: [{ ...binary, parameters: {}, data: [1, 2] }] }), ["y"], specs),
    outputsIn(
      answer({ outputs: [{ ...binary, name: "other" }, binary] }, [floats(8, 9), floats(1, 2)]),
      ["y"],
      specs,
    ),
  ])
    assert.deepEqual(
      got.map(({ name, shape, data }) => [name, shape, [...(data as Float32Array)]]),
      [["y", [1, 2], [1, 2]]],
    );
});

const BROKEN: [string, ReturnType<typeof answer>][] = [
  ["text", answer("<html>")],
  ["a list", answer([])],
  ["no outputs", answer({})],
  ["an output that is null", answer({ outputs: [null] })],
  ["another output", answer({ outputs: [{ ...binary, name: "z", parameters: {}, data: [1, 2] }] })],
  ["another datatype", answer({ outputs: [{ ...binary, datatype: "INT32", parameters: {}, data: [1, 2] }] })],
  ["a shape that is none", answer({ outputs: [{ ...binary, shape: [-1] }] }, [floats(1, 2)])],
  ["fewer bytes than announced", answer({ outputs: [binary] }, [floats(1)])],
  ["other bytes than its shape needs", answer({ outputs: [{ ...binary, shape: [3] }] }, [floats(1, 2)])],
  ["a header longer than the answer", { ...answer({ outputs: [] }), headerBytes: 10_000 }],
  ["a header length that is no number", { ...answer({ outputs: [] }), headerBytes: Number.NaN }],
];
for (const [name, broken] of BROKEN)
  test(`an answer with ${name} is a coded error`, () => {
    assert.throws(() => outputsIn(broken, ["y"], specs), { code: "runtime.protocol" });
  });

test("metadata with open dimensions, and metadata that cannot be used", () => {
  const tensor = { name: "x", datatype: "FP32", shape: [-1, 4] };
  const { inputs, outputs } = specsIn(answer({ inputs: [tensor], outputs: [{ ...tensor, name: "y" }] }));
  assert.deepEqual(
    [inputs[0]?.shape, outputs[0]?.shape],
    [
      ["x:0", 4],
      ["y:0", 4],
    ],
  );
  for (const bad of [{}, { inputs: [] }, { inputs: [{ ...tensor, datatype: "FP8" }], outputs: [tensor] }])
    assert.throws(() => specsIn(answer(bad)), { code: "runtime.protocol" });
  assert.throws(() => specsIn({ ...answer({ error: "no such model" }), status: 404 }), /404: no such model/);
});

test("whatever a server answers, it is tensors or a coded error", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 64 }),
        fc.json().map((text) => Buffer.from(text)),
      ),
      fc.option(fc.integer({ min: -5, max: 80 }), { nil: undefined }),
      (bytes, headerBytes) => {
        try {
          outputsIn({ status: 200, headerBytes, body: Buffer.from(bytes) }, ["y"], specs);
        } catch (error) {
          assert.ok(isMusterError(error, "runtime.protocol"), String(error));
        }
      },
    ),
  );
});

test("a request carries its tensors behind the JSON part in their order", () => {
  const value: TensorValue = { name: "x", datatype: "FP32", shape: [2], data: Float32Array.of(1, 2) };
  const { json, blobs } = inferRequest([value, { ...value, name: "z" }], ["y"]);
  const { inputs, outputs } = JSON.parse(json);
  assert.deepEqual(
    inputs.map(({ name, parameters }: typeof binary) => [name, parameters.binary_data_size]),
    [
      ["x", 8],
      ["z", 8],
    ],
  );
  assert.deepEqual(outputs, [{ name: "y", parameters: { binary_data: true } }]);
  assert.deepEqual(Buffer.concat(blobs), Buffer.from([...floats(1, 2), ...floats(1, 2)]));
});
