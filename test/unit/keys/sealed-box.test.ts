import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { isMusterError } from "@muster/shared/errors";
import { openSealed, sealTo } from "@muster/shared/trust/sealed-box";
import fc from "fast-check";
import nacl from "tweetnacl";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const device = nacl.box.keyPair();
const other = nacl.box.keyPair();

test("only its recipient opens a box", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (message) => {
      const box = sealTo(hex(device.publicKey), message, randomBytes(32));
      assert.deepEqual(openSealed(hex(device.secretKey), box), Buffer.from(message));
      assert.throws(
        () => openSealed(hex(other.secretKey), box),
        (error) => isMusterError(error, "key.lease-invalid"),
      );
    }),
    { numRuns: 20 },
  );
});

test("a changed box does not open", () => {
  const { ephemeral, box } = sealTo(hex(device.publicKey), Buffer.from("secret"), randomBytes(32));
  const changed = Buffer.from(box, "base64");
  changed[3] = (changed[3] ?? 0) ^ 1;
  const foreign = hex(nacl.box.keyPair().publicKey);
  for (const each of [
    { ephemeral, box: changed.toString("base64") },
    { ephemeral: foreign, box },
  ])
    assert.throws(
      () => openSealed(hex(device.secretKey), each),
      (error) => isMusterError(error, "key.lease-invalid"),
    );
});
