import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, isMusterError } from "@muster/shared/errors";
import { Ack, Batch, Will } from "@muster/shared/protocol/messages";
import { decodeMessage, encodeMessage, MAX_PAYLOAD_BYTES } from "@muster/shared/protocol/wire";
import fc from "fast-check";

const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));
const ack: Ack = { v: 1, outbox: "outbox-1", upTo: 7 };

test("a message survives the wire", () => {
  assert.deepEqual(decodeMessage(Ack, Buffer.from(encodeMessage(Ack, ack))), ack);
});

const refused: [string, ErrorCode, Uint8Array][] = [
  ["no JSON", "wire.malformed", Buffer.from("{")],
  ["empty", "wire.malformed", Buffer.alloc(0)],
  ["no version", "wire.malformed", bytes({ upTo: 7 })],
  ["another version", "wire.version-unknown", bytes({ ...ack, v: 2 })],
  ["a missing member", "wire.malformed", bytes({ v: 1, outbox: "outbox-1" })],
  ["an unknown member", "wire.malformed", bytes({ ...ack, extra: 1 })],
  ["a negative count", "wire.malformed", bytes({ ...ack, upTo: -1 })],
  ["too many bytes", "wire.oversized", Buffer.alloc(MAX_PAYLOAD_BYTES + 1, " ")],
];
for (const [name, code, payload] of refused)
  test(`${name} is ${code}`, () => {
    assert.throws(
      () => decodeMessage(Ack, payload),
      (error) => isMusterError(error, code),
    );
  });

test("whatever bytes come, the answer is a message or a coded error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(Ack, Batch, Will), (payload, schema) => {
      try {
        decodeMessage(schema, payload);
      } catch (error) {
        assert.ok(isMusterError(error));
      }
    }),
  );
});
