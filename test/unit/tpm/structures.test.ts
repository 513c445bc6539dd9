import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { suite, test } from "node:test";
import { isMusterError } from "@muster/shared/errors";
import { type Attest, parseAttest } from "@muster/shared/tpm/attest";
import { TPM_ALG, TPM_GENERATED, TPM_ST, TPMA_OBJECT } from "@muster/shared/tpm/constants";
import { makeCredential } from "@muster/shared/tpm/credential";
import type { HashName } from "@muster/shared/tpm/hash";
import {
  checkAttestationKey,
  checkEndorsementKey,
  encodePublic,
  type PublicArea,
  parsePublic,
  toKeyObject,
} from "@muster/shared/tpm/public-area";
import { parseSignature, verifyAttest } from "@muster/shared/tpm/signature";
import { TpmReader, TpmWriter } from "@muster/shared/tpm/wire";
import fc from "fast-check";
import { writeAttest } from "../../support/made-tpm/attest.ts";
import { makeAttestationKey, makeEndorsementArea } from "../../support/made-tpm/keys.ts";

const head = {
  qualifiedSigner: Buffer.alloc(34, 1),
  extraData: Buffer.alloc(32, 2),
  clock: { clock: (1n << 63n) + 5n, resetCount: 0xffffffff, restartCount: 7, safe: false },
  firmwareVersion: 0x2019102300163636n,
};
const QUOTE: Attest = {
  type: "quote",
  ...head,
  quote: {
    selection: [
      { bank: "sha256", indices: [0, 7, 8, 23] },
      { bank: "sha384", indices: [] },
    ],
    digest: Buffer.alloc(32, 3),
  },
};
const ATTESTS: readonly Attest[] = [
  QUOTE,
  { type: "certify", ...head, certify: { name: Buffer.alloc(34, 3), qualifiedName: Buffer.alloc(34, 4) } },
  { type: "creation", ...head, creation: { objectName: Buffer.alloc(34), creationHash: Buffer.alloc(32) } },
];

const KEYS = {
  rsa: makeAttestationKey("rsa"),
  ecc: makeAttestationKey("ecc"),
  p384: makeAttestationKey("p384"),
};
const EKS = { rsa: makeEndorsementArea("rsa"), ecc: makeEndorsementArea("ecc") };

const bytes = (max: number, min = 0) =>
  fc.uint8Array({ minLength: min, maxLength: max }).map((value) => Buffer.from(value));

/** With the usual prototype, so that it is deeply equal to what a parser returns. */
const record = <T>(members: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(members, { noNullPrototype: true }) as fc.Arbitrary<T>;
const hashes = fc.constantFrom<HashName>("sha1", "sha256", "sha384", "sha512");
const SIZES = { sha1: 20, sha256: 32, sha384: 48, sha512: 64 };
const common = hashes.chain((nameAlg) =>
  record({
    nameAlg: fc.constant(nameAlg),
    attributes: fc.integer({ min: 0, max: 0xffffffff }),
    authPolicy: fc.oneof(fc.constant(Buffer.alloc(0)), bytes(SIZES[nameAlg], SIZES[nameAlg])),
    symmetric: fc.constantFrom(
      null,
      { algorithm: "aes", bits: 128, mode: "cfb" } as const,
      { algorithm: "aes", bits: 256, mode: "cfb" } as const,
    ),
  }),
);
const rsa = fc.constantFrom(1024, 2048, 3072).chain((bits) =>
  record({
    type: fc.constant("rsa" as const),
    bits: fc.constant(bits),
    exponent: fc.constantFrom(0, 65_537),
    modulus: fc.oneof(
      fc.constant(Buffer.alloc(0)),
      bytes(bits / 8 - 2, bits / 8 - 2).map((middle) =>
        Buffer.concat([Buffer.of(0x80), middle, Buffer.of(1)]),
      ),
    ),
    scheme: fc.oneof(
      fc.constant(null),
      record({ algorithm: fc.constantFrom("rsassa" as const, "rsapss" as const), hash: hashes }),
    ),
  }),
);
const ecc = record({
  type: fc.constant("ecc" as const),
  curve: fc.constantFrom("p256" as const, "p384" as const, "p521" as const),
  x: bytes(32),
  y: bytes(32),
  scheme: fc.oneof(fc.constant(null), record({ algorithm: fc.constant("ecdsa" as const), hash: hashes })),
});
const area: fc.Arbitrary<PublicArea> = fc
  .tuple(common, fc.oneof(rsa, ecc))
  .map(([shared, own]) => ({ ...shared, ...own }));

test("numbers and buffers come back as they were written", () => {
  fc.assert(
    fc.property(
      record({
        u8: fc.nat(0xff),
        u16: fc.nat(0xffff),
        u32: fc.integer({ min: 0, max: 0xffffffff }),
        u64: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
        sized: bytes(100),
      }),
      (values) => {
        const { u8, u16, u32, u64, sized } = values;
        const reader = new TpmReader(new TpmWriter().u8(u8).u16(u16).u32(u32).u64(u64).sized(sized).build());
        const read = {
          ...{ u8: reader.u8(), u16: reader.u16(), u32: reader.u32(), u64: reader.u64() },
          sized: reader.sized(),
        };
        assert.deepEqual(read, values);
        reader.end();
      },
    ),
  );
  assert.throws(() => new TpmWriter().sized(Buffer.alloc(65_536)), { code: "tpm.malformed" });
});

test("public areas come back as they were written; shorter and longer ones are refused", () => {
  fc.assert(
    fc.property(area, fc.nat(), (made, cut) => {
      const encoded = encodePublic(made);
      assert.deepEqual(parsePublic(encoded), made);
      refused(() => parsePublic(encoded.subarray(0, cut % encoded.length)));
      refused(() => parsePublic(Buffer.concat([encoded, Buffer.of(0)])));
    }),
  );
});

suite("attestations", () => {
  for (const attest of ATTESTS)
    test(`of type ${attest.type}`, () => {
      const encoded = writeAttest(attest);
      assert.deepEqual(parseAttest(encoded), attest);
      for (let end = 0; end < encoded.length; end++) refused(() => parseAttest(encoded.subarray(0, end)));
      refused(() => parseAttest(Buffer.concat([encoded, Buffer.of(0)])));
    });

  const begin = (magic: number, type: number) =>
    new TpmWriter().u32(magic).u16(type).sized(Buffer.alloc(0)).sized(Buffer.alloc(0));
  const quoteOf = (write: (writer: TpmWriter) => TpmWriter, safe = 1) =>
    write(begin(TPM_GENERATED, TPM_ST.ATTEST_QUOTE).u64(1n).u32(1).u32(1).u8(safe).u64(1n))
      .sized(Buffer.alloc(32))
      .build();
  const bank = (writer: TpmWriter, hash: number, ...bitmap: number[]) =>
    writer.u16(hash).u8(bitmap.length).bytes(bitmap);
  const cases: Record<string, [Buffer, RegExp]> = {
    "without magic": [begin(0x12345678, TPM_ST.ATTEST_QUOTE).build(), /No TPM made this/],
    "of another type": [begin(TPM_GENERATED, TPM_ST.ATTEST_NV).build(), /type 0x8014/],
    "that is safe twice": [quoteOf((writer) => writer.u32(0), 2), /"safe"/],
    "of too many banks": [quoteOf((writer) => writer.u32(17)), /17 banks/],
    "of more banks than it has": [quoteOf((writer) => writer.u32(16)), /early|hash/],
    "of an unknown bank": [quoteOf((writer) => bank(writer.u32(1), TPM_ALG.SM3_256, 1)), /hash algorithm/],
    "of one bank twice": [
      quoteOf((writer) => bank(bank(writer.u32(2), TPM_ALG.SHA256, 1), TPM_ALG.SHA256, 2)),
      /twice/,
    ],
    "of too many PCRs": [quoteOf((writer) => bank(writer.u32(1), TPM_ALG.SHA256, 1, 0, 0, 0, 0)), /40 PCRs/],
  };
  for (const [name, [encoded, message]] of Object.entries(cases))
    test(`one ${name} is refused`, () => {
      assert.throws(() => parseAttest(encoded), { code: "tpm.malformed", message });
    });
});

test("arbitrary bytes bring nothing but coded errors", () => {
  const quote = writeAttest(QUOTE);
  const seeds = [quote, KEYS.ecc.sign(quote), encodePublic(KEYS.rsa.area), encodePublic(EKS.ecc)];
  const mutated = fc
    .tuple(fc.constantFrom(...seeds), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }))
    .map(([seed, changes]) => {
      const copy = Buffer.from(seed);
      for (const [at, value] of changes) copy[at % copy.length] = value;
      return copy;
    });
  fc.assert(
    fc.property(fc.oneof(bytes(300), mutated), (input) => {
      for (const parse of [parsePublic, parseAttest, parseSignature])
        try {
          parse(input);
        } catch (error) {
          assert.ok(isMusterError(error, "tpm.malformed"), String(error));
        }
    }),
    { numRuns: 500 },
  );
});

suite("fitness of keys", () => {
  const { FIXED_TPM, FIXED_PARENT, SENSITIVE_DATA_ORIGIN, RESTRICTED, DECRYPT, SIGN_ENCRYPT } = TPMA_OBJECT;
  const ak = KEYS.ecc.area;
  const ek = EKS.rsa;
  const lacking = { FIXED_TPM, FIXED_PARENT, SENSITIVE_DATA_ORIGIN, RESTRICTED };
  for (const [name, bit] of Object.entries(lacking))
    test(`not without ${name}`, () => {
      assert.throws(() => checkAttestationKey({ ...ak, attributes: ak.attributes & ~bit }), {
        code: "tpm.key-unfit",
      });
      assert.throws(() => checkEndorsementKey({ ...ek, attributes: ek.attributes & ~bit }), {
        code: "tpm.key-unfit",
      });
    });
  const unfit: [string, PublicArea, RegExp][] = [
    ["that may decrypt", { ...ak, attributes: ak.attributes | DECRYPT }, /may decrypt/],
    ["that may not sign", { ...ak, attributes: ak.attributes & ~SIGN_ENCRYPT }, /may not sign/],
    ["without a scheme", { ...ak, scheme: null }, /no signing scheme/],
    ["that signs with SHA-1", { ...ak, scheme: { algorithm: "ecdsa", hash: "sha1" } }, /SHA-1/],
    ["that is named by SHA-1", { ...ak, nameAlg: "sha1" }, /named by SHA-1/],
    ["with a cipher", { ...ak, symmetric: ek.symmetric }, /has a cipher/],
    ["that is a template", { ...ak, x: Buffer.alloc(0) } as PublicArea, /template/],
    ["of few bits", { ...KEYS.rsa.area, bits: 1024 } as PublicArea, /only 1024 bits/],
    ["of exponent 3", { ...KEYS.rsa.area, exponent: 3 } as PublicArea, /exponent/],
  ];
  for (const [name, key, message] of unfit)
    test(`no attestation key ${name}`, () => {
      assert.throws(() => checkAttestationKey(key), { code: "tpm.key-unfit", message });
    });
  const unfitEk: [string, PublicArea, RegExp][] = [
    ["that may sign", { ...ek, attributes: ek.attributes | SIGN_ENCRYPT }, /may sign/],
    ["without a cipher", { ...ek, symmetric: null }, /no cipher/],
    ["with a scheme", { ...ek, scheme: { algorithm: "rsassa", hash: "sha256" } }, /signing scheme/],
  ];
  for (const [name, key, message] of unfitEk)
    test(`no endorsement key ${name}`, () => {
      assert.throws(() => checkEndorsementKey(key), { code: "tpm.key-unfit", message });
    });
});

test("an even modulus is no key", () => {
  const { area: ak } = KEYS.rsa;
  assert.ok(ak.type === "rsa");
  const even = Buffer.from(ak.modulus);
  even[even.length - 1] = 2;
  assert.throws(() => parsePublic(encodePublic({ ...ak, modulus: even })), {
    code: "tpm.malformed",
    message: /even/,
  });
  const ek = { ...EKS.rsa, modulus: even } as PublicArea;
  assert.throws(
    () => makeCredential(ek, Buffer.alloc(34), Buffer.alloc(32), (count) => Buffer.alloc(count, 3)),
    {
      code: "tpm.malformed",
    },
  );
});

test("a point off its curve is no key, and nothing is sealed for it", () => {
  const ek = EKS.ecc;
  const off = { ...ek, y: Buffer.alloc(32, 1) } as PublicArea;
  assert.throws(() => toKeyObject(off), { code: "tpm.malformed" });
  const random = (count: number) => Buffer.alloc(count, 3);
  assert.throws(() => makeCredential(off, Buffer.alloc(34), Buffer.alloc(32), random), {
    code: "tpm.malformed",
  });
  assert.throws(() => makeCredential(ek, Buffer.alloc(34), Buffer.alloc(33), random), {
    code: "tpm.malformed",
  });
  const zeros = (count: number) => Buffer.alloc(count);
  assert.throws(() => makeCredential(ek, Buffer.alloc(34), Buffer.alloc(32), zeros), {
    code: "tpm.malformed",
  });
});

test("signatures of another key, scheme or hash do not verify", () => {
  const attest = writeAttest(QUOTE);
  for (const [name, { area: ak, sign }] of Object.entries(KEYS)) {
    assert.ok(verifyAttest(ak, attest, sign(attest)), name);
    assert.ok(!verifyAttest(ak, Buffer.concat([attest, Buffer.of(0)]), sign(attest)), name);
    assert.ok(!verifyAttest(ak, attest, sign(attest, "sha1")), `${name} with SHA-1`);
    const other = ak.scheme?.hash === "sha256" ? "sha384" : "sha256";
    assert.ok(!verifyAttest(ak, attest, sign(attest, other)), `${name} with ${other}`);
    for (const [strange, { sign: by }] of Object.entries(KEYS))
      if (strange !== name) assert.ok(!verifyAttest(ak, attest, by(attest)), `${strange} for ${name}`);
  }
  const key: KeyObject = generateKeyPairSync("ed25519").publicKey;
  for (const algorithm of ["rsassa", "ecdsa"] as const)
    for (const { sign } of Object.values(KEYS))
      assert.ok(!verifyAttest({ key, scheme: { algorithm, hash: "sha256" } }, attest, sign(attest)));
});

function refused(act: () => unknown): void {
  assert.throws(act, { code: "tpm.malformed" });
}
