import { parseInferRequest } from "@muster/agent/runner/infer-request";
import type { LoadedModel } from "@muster/agent/runner/model";
import type { TensorSpec } from "@muster/agent/runner/tensors/datatypes";
import { decodeHead, encodeHead } from "@muster/shared/trust/sealed/header";
import { hold, type Target } from "../target.ts";

/** Only the names, types and shapes of the tensors are asked for while a request is read. */
const modelOf = (inputs: readonly TensorSpec[]): LoadedModel =>
  ({ inputs, outputs: [{ name: "scores", datatype: "FP32", shape: ["n", 3] }] }) as unknown as LoadedModel;

const MODELS: readonly LoadedModel[] = [
  modelOf([{ name: "x", datatype: "FP32", shape: ["n", 4] }]),
  modelOf([
    { name: "x", datatype: "UINT8", shape: ["n", 2] },
    { name: "words", datatype: "BYTES", shape: ["n"] },
    { name: "ids", datatype: "INT64", shape: ["n", 1] },
  ]),
  modelOf([{ name: "x", datatype: "FP16", shape: [1, 2] }]),
];

const tensor = (name: string, datatype: string, shape: readonly number[], more: object) => ({
  name,
  datatype,
  shape,
  ...more,
});
const binary = (size: number) => ({ parameters: { binary_data_size: size } });

/** Number of the model, length of the JSON part (0xffff for no header), then the body. */
function request(model: number, json: string, tail: Uint8Array | undefined): Buffer {
  const head = Buffer.alloc(3);
  head[0] = model;
  head.writeUInt16BE(tail ? json.length : 0xffff, 1);
  return Buffer.concat([head, Buffer.from(json), tail ?? Buffer.alloc(0)]);
}

const body = (...inputs: object[]): string =>
  JSON.stringify({
    id: "1",
    inputs,
    outputs: [{ name: "scores", parameters: { classification: 2 } }],
    parameters: { muster_durable: true, priority: 1, timeout: 1000 },
  });

const SEEDS = [
  request(0, body(tensor("x", "FP32", [1, 4], { data: [1, 2, 3, 4] })), undefined),
  request(
    0,
    body(
      tensor("x", "FP32", [2, 4], {
        data: [
          [1, 2, 3, 4],
          [1, 2, 3, 4e30],
        ],
      }),
    ),
    undefined,
  ),
  request(0, body(tensor("x", "FP32", [1, 4], binary(16))), new Uint8Array(16)),
  request(0, "", new Uint8Array(32)),
  request(
    1,
    body(
      tensor("x", "UINT8", [1, 2], { data: [0, 255] }),
      tensor("words", "BYTES", [1], { data: ["ä"] }),
      tensor("ids", "INT64", [1, 1], { data: [2 ** 53] }),
    ),
    undefined,
  ),
  request(
    1,
    body(
      tensor("x", "UINT8", [1, 2], binary(2)),
      tensor("words", "BYTES", [1], binary(6)),
      tensor("ids", "INT64", [1, 1], binary(8)),
    ),
    Buffer.from("0102020000006869ffffffffffffffff", "hex"),
  ),
  request(2, body(tensor("x", "FP16", [1, 2], binary(4))), new Uint8Array(4)),
];

/** Tensors as applications send them, and the head of a sealed model. */
export const inferenceTargets = (): Target[] => [
  {
    name: "inference request",
    form: "bytes",
    seeds: SEEDS,
    take: (input) => {
      if (input.length < 3) return;
      const length = input.readUInt16BE(1);
      const model = MODELS[(input[0] ?? 0) % MODELS.length] as LoadedModel;
      const parsed = parseInferRequest(model, input.subarray(3), length === 0xffff ? undefined : length);
      for (const { shape, data, datatype } of parsed.inputs)
        hold(
          data.length === shape.reduce((product, size) => product * size, 1),
          `a tensor of ${datatype} has as many elements as its shape says`,
        );
    },
  },
  {
    name: "head of a sealed model",
    form: "bytes",
    seeds: [
      encodeHead({
        ...{ v: 1, key: "ab".repeat(16), salt: "cd".repeat(32), check: "ef".repeat(16) },
        ...{ digest: `sha256:${"01".repeat(32)}`, chunkBytes: 1_048_576, size: 5_000_000 },
      }),
    ],
    take: (input) => {
      hold(encodeHead(decodeHead(input)).equals(input), "a head is written as it was read");
    },
  },
];
