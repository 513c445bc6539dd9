import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { parseInferRequest } from "@muster/agent/runner/infer-request";
import { encodeInferResponse } from "@muster/agent/runner/infer-response";
import { type LoadedModel, loadModel } from "@muster/agent/runner/model";
import { isMusterError } from "@muster/shared/errors";
import { BenchBox } from "./bench-box.ts";
import { ELEMENT, identity } from "./models.ts";

// Golden sets hold numbers only, so models of these types are loaded here without one, in this process.

let box: BenchBox;
let half: LoadedModel;
let text: LoadedModel;

before(async () => {
  box = await BenchBox.create();
  half = await loadModel(await box.model("half", identity(ELEMENT.float16, ["n"]), []));
  text = await loadModel(await box.model("text", identity(ELEMENT.string, ["n"]), []));
});

after(() => box.close());

async function exchange(model: LoadedModel, body: object, blob: Uint8Array = new Uint8Array(0)) {
  const json = Buffer.from(JSON.stringify(body));
  const request = parseInferRequest(model, Buffer.concat([json, blob]), json.length);
  const values = await model.run(
    request.inputs,
    request.outputs.map(({ name }) => name),
  );
  return encodeInferResponse(model, request, values);
}

const input = (datatype: string, shape: number[], bytes: number) => ({
  inputs: [{ name: "x", datatype, shape, parameters: { binary_data_size: bytes } }],
});
const inBinary = { parameters: { binary_data_output: true } };
const isInvalid = (error: unknown) => isMusterError(error, "inference.invalid");

test("FP16 goes in binary and never in JSON", async () => {
  const bits = new Uint8Array(Uint16Array.of(0x3c00, 0xc000).buffer);
  const { blobs } = await exchange(half, { ...input("FP16", [2], 4), ...inBinary }, bits);
  assert.deepEqual(blobs, [bits]);
  await assert.rejects(exchange(half, input("FP16", [2], 4), bits), isInvalid);
  const inputs = [{ name: "x", datatype: "FP16", shape: [1], data: [1] }];
  await assert.rejects(exchange(half, { inputs, ...inBinary }), isInvalid);
});

const elements = (...texts: string[]): Buffer =>
  Buffer.concat(
    texts.map((element) => {
      const bytes = Buffer.from(element);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return Buffer.concat([length, bytes]);
    }),
  );

test("BYTES are texts, in JSON and in binary", async () => {
  const data = ["", "grün", '"quoted"\n'];
  const inputs = [{ name: "x", datatype: "BYTES", shape: [3], data }];
  assert.deepEqual(JSON.parse((await exchange(text, { inputs })).json).outputs[0].data, data);
  const blob = elements(...data);
  const { blobs } = await exchange(text, { ...input("BYTES", [3], blob.length), ...inBinary }, blob);
  assert.deepEqual(Buffer.from(blobs[0]!), blob);
});

const bad: [string, Uint8Array][] = [
  ["is cut off", elements("abc").subarray(0, -1)],
  ["has no length", Buffer.from([1, 0])],
  ["is longer than the body", Buffer.from([255, 255, 255, 255])],
  ["is not UTF-8", Buffer.from([1, 0, 0, 0, 0xff])],
  ["is one too many", elements("a", "b")],
  ["is missing", Buffer.alloc(0)],
];
for (const [what, blob] of bad)
  test(`an element of BYTES that ${what}`, async () => {
    await assert.rejects(exchange(text, input("BYTES", [1], blob.length), blob), isInvalid);
  });
