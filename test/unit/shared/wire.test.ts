import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, isMusterError } from "@muster/shared/errors";
import { Ack, Batch, Birth, Heartbeat, Will } from "@muster/shared/protocol/messages";
import { decodeMessage, encodeMessage, MAX_PAYLOAD_BYTES } from "@muster/shared/protocol/wire";
import fc from "fast-check";
import { birth, heartbeat, inference } from "../../support/fleet/messages.ts";

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

const beat = heartbeat("session-1", 1);
const hugeCounts = { edges: [1], counts: [1e300, 0] };
const boundless: [string, object][] = [
  ["a load without bounds", { ...beat, health: { ...beat.health, loadPerCore: 1e307 } }],
  ["a temperature without bounds", { ...beat, health: { ...beat.health, temperatureC: -1e307 } }],
  ["a bin beyond what JSON carries", { ...beat, inference: [inference({ latency: hugeCounts })] }],
];
for (const [name, message] of boundless)
  test(`${name} is wire.malformed`, () => {
    decodeMessage(Heartbeat, bytes(beat));
    assert.throws(
      () => decodeMessage(Heartbeat, bytes(message)),
      (error) => isMusterError(error, "wire.malformed"),
    );
  });

test("a hardware class is made of words", () => {
  const told = birth("session-1");
  decodeMessage(Birth, bytes(told));
  for (const platform of ["li nux", "linux\r\nBcc: x@y", "\u001b[31m", ""])
    assert.throws(
      () => decodeMessage(Birth, bytes({ ...told, hardware: { ...told.hardware, platform } })),
      (error) => isMusterError(error, "wire.malformed"),
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
