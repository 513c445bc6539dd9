import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, type X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import { certificatesIn, endorsementOf } from "@muster/control-plane/enrollment/ek-chain";
import { isMusterError } from "@muster/shared/errors";
import fc from "fast-check";
import {
  EK_PURPOSE,
  ENCIPHERS,
  type Made,
  makeCertificate,
  SIGNS,
} from "../../support/certificates/certificate.ts";

const DAY_MS = 86_400_000;
const NOW = Date.now();

interface Keys {
  publicKey: KeyObject;
  privateKey: KeyObject;
}
const ecc = (): Keys => generateKeyPairSync("ec", { namedCurve: "P-256" });
const rsa = (modulusLength: number): Keys => generateKeyPairSync("rsa", { modulusLength });

const root = rsa(2048);
const middle = ecc();
const lower = generateKeyPairSync("ec", { namedCurve: "P-384" });
const ek = rsa(2048);
const eccEk = ecc();
const mallory = rsa(2048);

const authority = (of: Keys, subject: string, by: Keys, issuer: string, more: Partial<Made> = {}) =>
  makeCertificate({
    subject,
    issuer,
    publicKey: of.publicKey,
    signer: by.privateKey,
    issuerKey: by.publicKey,
    authority: true,
    usage: SIGNS,
    ...more,
  });
const endorsement = (by: Keys, issuer: string, more: Partial<Made> = {}) =>
  makeCertificate({
    subject: "",
    issuer,
    publicKey: ek.publicKey,
    signer: by.privateKey,
    issuerKey: by.publicKey,
    usage: ENCIPHERS,
    purpose: EK_PURPOSE,
    ...more,
  });

const rootCertificate = authority(root, "root", root, "root");
const middleCertificate = authority(middle, "middle", root, "root", { authority: 1 });
const lowerCertificate = authority(lower, "lower", middle, "middle", { authority: 0 });
const good = endorsement(lower, "lower");
const between = [middleCertificate, lowerCertificate];

const judge = (
  given: readonly X509Certificate[],
  authorities: readonly X509Certificate[] = [rootCertificate],
  key: KeyObject = ek.publicKey,
  now = NOW,
) => endorsementOf(key, given, authorities, now);

describe("certificates of endorsement keys", () => {
  const certified: [string, () => ReturnType<typeof judge>][] = [
    ["signed by the root itself", () => judge([endorsement(root, "root")])],
    ["over two authorities, with two kinds of keys", () => judge([good, ...between])],
    ["in any order", () => judge([...[...between].reverse(), good])],
    ["to an authority below the root that operators believe", () => judge([good], [lowerCertificate])],
    [
      "of an ECC key",
      () => judge([endorsement(root, "root", { publicKey: eccEk.publicKey })], undefined, eccEk.publicKey),
    ],
    ["with a name and without a purpose", () => judge([named()])],
    ["that never ends", () => judge([endorsement(root, "root", { notAfter: Date.UTC(9999, 11, 31) })])],
    [
      "beside certificates that lead nowhere",
      () => judge([endorsement(mallory, "nobody"), good, ...between]),
    ],
    [
      "by a root that signed itself with SHA-1, as old ones did",
      () => judge([endorsement(root, "root")], [authority(root, "root", root, "root", { hash: "sha1" })]),
    ],
    [
      "by the younger of two roots of one name",
      () =>
        judge(
          [endorsement(root, "root", { issuerKey: null })],
          [authority(mallory, "root", mallory, "root", { issuerKey: null }), rootCertificate],
        ),
    ],
  ];
  for (const [name, ask] of certified)
    it(`believes one ${name}`, () => {
      const found = ask();
      assert.equal(found.certified, true, found.reason);
    });

  const critical: [string, boolean][] = [["2a0304", true]];
  const refused: [string, RegExp, () => ReturnType<typeof judge>][] = [
    ["nothing", /has no endorsement certificate/, () => judge([])],
    [
      "one for another key",
      /No certificate of the TPM is for its/,
      () => judge([good], undefined, eccEk.publicKey),
    ],
    ["one of an unknown vendor", /leads to CN=nobody/, () => judge([endorsement(mallory, "nobody")])],
    ["a chain with a piece missing", /leads to CN=lower/, () => judge([good, middleCertificate])],
    ["no root", /No authority is known/, () => judge([good, ...between], [])],
    [
      "one that has ended",
      /endorsement key ended/,
      () => judge([good, ...between], undefined, undefined, NOW + 2 * DAY_MS),
    ],
    [
      "one that has not begun",
      /is not valid yet/,
      () => judge([good, ...between], undefined, undefined, NOW - 2 * DAY_MS),
    ],
    ["an authority that has ended", /CN=root ended/, () => judge([endorsement(root, "root")], [ended()])],
    [
      "a certificate for something else",
      /for another purpose/,
      () => judge([endorsement(root, "root", { purpose: "2b06010505070302" })]),
    ],
    [
      "that of an authority",
      /is one of an authority/,
      () => judge([endorsement(root, "root", { authority: true })]),
    ],
    [
      "a critical extension that nobody understands",
      /critical extension/,
      () => judge([endorsement(root, "root", { extra: critical })]),
    ],
    [
      "an authority with such an extension",
      /CN=lower has a critical extension/,
      () =>
        judge([good, middleCertificate, authority(lower, "lower", middle, "middle", { extra: critical })]),
    ],
    ["SHA-1", /can be forged/, () => judge([endorsement(root, "root", { hash: "sha1" })])],
    [
      "SHA-1 on the way",
      /CN=lower is signed in a way that can be forged/,
      () => judge([good, middleCertificate, authority(lower, "lower", middle, "middle", { hash: "sha1" })]),
    ],
    [
      "more authorities than one allows",
      /allows fewer/,
      () => judge([good, shortSighted(), lowerCertificate]),
    ],
    [
      "an authority that is none",
      /CN=lower is no authority/,
      () => judge([good, middleCertificate, noAuthority()]),
    ],
    [
      "an authority that may not sign certificates",
      /leads to CN=lower|is no authority/,
      () =>
        judge([good, middleCertificate, authority(lower, "lower", middle, "middle", { usage: ENCIPHERS })]),
    ],
    ["a root with a key that is too short", /too weak/, () => judge([endorsement(weak, "weak")], [weakRoot])],
    [
      "one that an endorsement key signed",
      /is no authority|No authority/,
      () =>
        judge(
          [
            endorsement(eccEk, "", { publicKey: ek.publicKey }),
            endorsement(root, "root", { publicKey: eccEk.publicKey }),
          ],
          undefined,
        ),
    ],
  ];
  for (const [name, reason, ask] of refused)
    it(`does not believe ${name}`, () => {
      const found = ask();
      assert.equal(found.certified, false, found.reason);
      assert.match(found.reason, reason);
    });

  it("tells a forger by the key that the certificate names", () => {
    const forged = endorsement(mallory, "root", { issuerKey: root.publicKey });
    const is = (error: unknown) => isMusterError(error, "enrollment.ek-certificate-invalid");
    assert.throws(() => judge([forged]), is);
    const middleForged = authority(mallory, "mallory", mallory, "root", { issuerKey: root.publicKey });
    assert.throws(() => judge([endorsement(mallory, "mallory"), middleForged]), is);
    // Who leaves the key out proves nothing, and is not believed either.
    assert.equal(judge([endorsement(mallory, "root", { issuerKey: null })]).certified, false);
  });

  it("ends in loops and floods of certificates", () => {
    const a = authority(middle, "a", lower, "b");
    const b = authority(lower, "b", middle, "a");
    const many = Array.from({ length: 14 }, () => authority(middle, "a", middle, "a"));
    assert.equal(judge([endorsement(middle, "a"), a, b, ...many]).certified, false);
  });

  it("finds certificates that stand in a row, and passes over what is none", () => {
    const padding = Buffer.alloc(100, 0xff);
    const inRow = Buffer.concat([good.raw, lowerCertificate.raw, padding]);
    assert.deepEqual(
      certificatesIn([inRow, middleCertificate.raw, Buffer.from("junk"), Buffer.alloc(0)]).map(
        ({ raw }) => raw,
      ),
      [good.raw, lowerCertificate.raw, middleCertificate.raw],
    );
  });

  it("believes no certificate that was changed anywhere, and never breaks", () => {
    const whole = good.raw;
    const issuers = between.map(({ raw }) => raw);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(whole);
        changed[at] = (changed[at] ?? 0) ^ flip;
        let isCertified = false;
        try {
          isCertified = judge(certificatesIn([changed, ...issuers])).certified;
        } catch (error) {
          assert.ok(isMusterError(error, "enrollment.ek-certificate-invalid"), String(error));
        }
        assert.equal(isCertified, false, `byte ${at} ^ ${flip}`);
      }),
      { numRuns: 1500 },
    );
  });
});

const weak = rsa(1024);
const weakRoot = authority(weak, "weak", weak, "weak");
const named = () => {
  const { purpose: _, ...rest }: Made = {
    subject: "a TPM",
    issuer: "root",
    publicKey: ek.publicKey,
    signer: root.privateKey,
    issuerKey: root.publicKey,
    usage: ENCIPHERS,
    purpose: EK_PURPOSE,
  };
  return makeCertificate(rest);
};
const ended = () => authority(root, "root", root, "root", { notAfter: NOW - 1000 });
const shortSighted = () => authority(middle, "middle", root, "root", { authority: 0 });
const noAuthority = () =>
  makeCertificate({
    subject: "lower",
    issuer: "middle",
    publicKey: lower.publicKey,
    signer: middle.privateKey,
    issuerKey: middle.publicKey,
    usage: SIGNS,
  });
