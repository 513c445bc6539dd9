import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { certificatesIn } from "@muster/agent/tpm/keys/der";
import fc from "fast-check";

/** A SEQUENCE with this content (X.690, 8.1.3). */
function sequence(content: Uint8Array): Buffer {
  const { length } = content;
  const head =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(0x30, ...head), content]);
}

const certificate = fc.uint8Array({ minLength: 2, maxLength: 700 }).map((content) => sequence(content));

describe("certificates in the memory of a TPM", () => {
  it("are found one behind the other, without what fills the memory up", () => {
    const filling = fc
      .oneof(fc.constant(0), fc.constant(0xff))
      .chain((byte) => fc.nat(300).map((length) => Buffer.alloc(length, byte)));
    fc.assert(
      fc.property(fc.array(certificate, { maxLength: 4 }), filling, (certificates, rest) => {
        assert.deepEqual(certificatesIn(Buffer.concat([...certificates, rest])), certificates);
      }),
    );
  });

  it("are not found where they are cut off", () => {
    fc.assert(
      fc.property(certificate, fc.nat(), (whole, cut) => {
        assert.deepEqual(certificatesIn(whole.subarray(0, cut % whole.length)), []);
      }),
    );
  });

  it("are looked for in anything", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
        const found = certificatesIn(Buffer.from(bytes));
        assert.ok(Buffer.concat(found).length <= bytes.length);
      }),
    );
    // A length of no bytes does not end the search never.
    assert.equal(certificatesIn(Buffer.from("300030003000", "hex")).length, 2);
  });
});
