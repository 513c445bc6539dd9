import assert from "node:assert/strict";
import { test } from "node:test";
import { isMusterError } from "@muster/shared/errors";
import { signBytes, signingKeyFrom, verifyBytes } from "@muster/shared/trust/ed25519";

/** RFC 8032 section 7.1, test 2. */
const seed = Buffer.from("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "hex");
const publicKey = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
const signature =
  "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

test("signs and verifies as RFC 8032 says", () => {
  const key = signingKeyFrom(seed);
  assert.equal(key.publicKey, publicKey);
  assert.equal(signBytes(key, Buffer.of(0x72)), signature);
  assert.ok(verifyBytes(publicKey, Buffer.of(0x72), signature));
  assert.ok(!verifyBytes(publicKey, Buffer.of(0x73), signature));
});

test("a malleated signature (S + L) is refused", () => {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const bytes = Buffer.from(signature, "hex");
  let s = order;
  for (let index = 63; index >= 32; index--) s += BigInt(bytes[index] ?? 0) << BigInt(8 * (index - 32));
  for (let index = 32; index < 64; index++) bytes[index] = Number((s >> BigInt(8 * (index - 32))) & 255n);
  assert.ok(!verifyBytes(publicKey, Buffer.of(0x72), bytes.toString("hex")));
});

test("a small-order key is no key", () => {
  assert.throws(
    () => verifyBytes(`01${"0".repeat(62)}`, Buffer.of(1), `01${"0".repeat(126)}`),
    (error) => isMusterError(error, "request.invalid"),
  );
});

test("text that is not a signature is not one", () => {
  for (const text of ["", "zz", signature.toUpperCase(), `${signature}00`])
    assert.ok(!verifyBytes(publicKey, Buffer.of(0x72), text));
});
