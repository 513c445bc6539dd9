import assert from "node:assert/strict";
import { createPublicKey, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { parseAttest } from "@muster/shared/tpm/attest";
import { type Credential, makeCredential } from "@muster/shared/tpm/credential";
import type { HashName } from "@muster/shared/tpm/hash";
import type { PcrValues } from "@muster/shared/tpm/pcr";
import {
  checkAttestationKey,
  checkEndorsementKey,
  encodePublic,
  nameOf,
  type PublicArea,
  parsePublic,
  toKeyObject,
} from "@muster/shared/tpm/public-area";
import { verifyQuote } from "@muster/shared/tpm/quote";
import { verifyAttest } from "@muster/shared/tpm/signature";
import { Swtpm } from "../../support/swtpm/swtpm.ts";
import { noSwtpm } from "../../support/tools.ts";

/** Attestation keys under endorsement keys, as tpm2-tools make them. */
const KEYS = [
  { name: "rsa", ek: "rsa", scheme: "rsassa", hash: "sha256" },
  { name: "pss", ek: "rsa", scheme: "rsapss", hash: "sha384" },
  { name: "ecc", ek: "ecc", scheme: "ecdsa", hash: "sha256" },
  { name: "ecc", ek: "ecc", scheme: "ecdsa", hash: "sha384" },
] as const;

/** Templates H-3, H-4 and H-6 of the EK credential profile. */
const HIGH_RANGE = [
  ["ecc384:aes256cfb", "sha384"],
  ["ecc521:aes256cfb", "sha512"],
  ["rsa3072:aes256cfb", "sha384"],
] as const;

const nonce = Buffer.alloc(32, 7);
const INDICES = [0, 1, 7, 10, 16, 23];

const read = (tpm: Swtpm, file: string): Buffer => readFileSync(join(tpm.directory, file));

/** Values as `tpm2_quote -F values` writes them. */
function valuesIn(bytes: Buffer, bank: HashName, size: number): PcrValues {
  const values = Object.fromEntries(INDICES.map((pcr, i) => [pcr, bytes.subarray(i * size, (i + 1) * size)]));
  return { [bank]: values };
}

suite("keys, credentials and quotes of a software TPM", { skip: noSwtpm }, () => {
  let tpm: Swtpm;
  before(async () => {
    tpm = await Swtpm.make({ certificates: false, banks: "sha1,sha256,sha384" });
    await tpm.tool("pcrextend", `16:sha256=${"ab".repeat(32)},sha384=${"cd".repeat(48)}`);
    for (const kind of ["rsa", "ecc"])
      await tpm.tool("createek", "-c", `ek-${kind}.ctx`, "-G", kind, "-u", `ek-${kind}.pub`);
  });
  after(() => tpm?.stop());

  for (const kind of ["rsa", "ecc"] as const)
    test(`the ${kind} endorsement key`, async () => {
      const bytes = read(tpm, `ek-${kind}.pub`);
      const area = parsePublic(bytes);
      checkEndorsementKey(area);
      assert.throws(() => checkAttestationKey(area), { code: "tpm.key-unfit" });
      assert.deepEqual(encodePublic(area), bytes);
      await tpm.tool("readpublic", "-c", `ek-${kind}.ctx`, "-f", "pem", "-o", "ek.pem", "-n", "ek.name");
      assert.deepEqual(nameOf(area), read(tpm, "ek.name"));
      assert.ok(toKeyObject(area).equals(createPublicKey(read(tpm, "ek.pem"))));
    });

  for (const { name, ek, scheme, hash } of KEYS)
    test(`${name} attestation key, ${scheme} with ${hash}`, async () => {
      const key = ["-c", "ak.ctx", "-u", "ak.pub", "-n", "ak.name", "-f", "tss", "-q", "ak.qname"];
      const kind = ["-G", ek, "-g", hash, "-s", scheme];
      await tpm.tool("createak", "-C", `ek-${ek}.ctx`, ...kind, ...key);
      await tpm.tool("readpublic", "-c", "ak.ctx", "-f", "pem", "-o", "ak.pem");
      const bytes = read(tpm, "ak.pub");
      const ak = parsePublic(bytes);
      checkAttestationKey(ak);
      assert.throws(() => checkEndorsementKey(ak), { code: "tpm.key-unfit" });
      assert.deepEqual(encodePublic(ak), bytes);
      assert.deepEqual(nameOf(ak), read(tpm, "ak.name"));
      assert.ok(toKeyObject(ak).equals(createPublicKey(read(tpm, "ak.pem"))));

      for (const [bank, size] of [["sha256", 32] as const, ["sha384", 48] as const]) {
        const quoted = await quote(tpm, bank, hash, scheme);
        const pcrs = valuesIn(read(tpm, "values"), bank, size);
        const required = { bank, indices: [0, 7, 16] };
        const verified = verifyQuote({ ak, ...quoted, nonce, pcrs, required });
        assert.deepEqual(verified.selection, [{ bank, indices: INDICES }]);
        assert.deepEqual(verified.pcrs, pcrs);
        assert.deepEqual(verified.qualifiedSigner, read(tpm, "ak.qname"));
        assert.equal(verified.clock.safe, true);
        refusals(ak, quoted, pcrs, bank);
      }
      await activates(tpm, ek, ak);
    });

  for (const [algorithm, hash] of HIGH_RANGE)
    test(`a credential for an endorsement key of the high range, ${algorithm}`, async () => {
      const born = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted";
      await tpm.tool(
        "createprimary",
        "-C",
        "e",
        "-g",
        hash,
        "-G",
        algorithm,
        "-a",
        `${born}|decrypt`,
        "-c",
        "ek.ctx",
      );
      await tpm.tool("readpublic", "-c", "ek.ctx", "-f", "tss", "-o", "ek.pub");
      const ak = ["-C", "o", "-G", "ecc256:ecdsa-sha256:null", "-a", `${born}|sign`];
      await tpm.tool("createprimary", ...ak, "-c", "ak.ctx");
      await tpm.tool("readpublic", "-c", "ak.ctx", "-f", "tss", "-o", "ak.pub");
      const name = nameOf(parsePublic(read(tpm, "ak.pub")));
      const secret = randomBytes(32);
      writeCredential(tpm, makeCredential(parsePublic(read(tpm, "ek.pub")), name, secret, randomBytes));
      await tpm.tool(
        "activatecredential",
        "-c",
        "ak.ctx",
        "-C",
        "ek.ctx",
        "-i",
        "credential",
        "-o",
        "secret",
      );
      assert.deepEqual(read(tpm, "secret"), secret);
    });

  test("an application key certified by an attestation key", async () => {
    await tpm.tool("createak", "-C", "ek-ecc.ctx", "-G", "ecc", "-c", "ak.ctx", "-u", "ak.pub");
    await tpm.tool("createprimary", "-C", "o", "-G", "ecc", "-c", "key.ctx");
    await tpm.tool("readpublic", "-c", "key.ctx", "-n", "key.name");
    const files = ["-o", "certified", "-s", "certified.sig", "-f", "tss"];
    await tpm.tool("certify", "-C", "ak.ctx", "-c", "key.ctx", "-g", "sha256", ...files);
    const attest = parseAttest(read(tpm, "certified"));
    assert.equal(attest.type, "certify");
    assert.deepEqual(attest.certify?.name, read(tpm, "key.name"));
    const ak = parsePublic(read(tpm, "ak.pub"));
    assert.ok(verifyAttest(ak, read(tpm, "certified"), read(tpm, "certified.sig")));
    const input = { quote: read(tpm, "certified"), signature: read(tpm, "certified.sig"), nonce, pcrs: {} };
    assert.throws(
      () => verifyQuote({ ak, ...input, required: { bank: "sha256", indices: [] } }),
      /not a quote/,
    );
  });
});

interface Quoted {
  quote: Buffer;
  signature: Buffer;
}

async function quote(tpm: Swtpm, bank: HashName, hash: HashName, scheme: string): Promise<Quoted> {
  const files = ["-m", "quote", "-s", "signature", "-f", "tss", "-o", "values", "-F", "values"];
  const asked = [
    "-l",
    `${bank}:${INDICES.join(",")}`,
    "-q",
    nonce.toString("hex"),
    "-g",
    hash,
    "--scheme",
    scheme,
  ];
  await tpm.tool("quote", "-c", "ak.ctx", ...asked, ...files);
  return { quote: read(tpm, "quote"), signature: read(tpm, "signature") };
}

/** Everything that must not pass for the quote that was made. */
function refusals(ak: PublicArea, quoted: Quoted, pcrs: PcrValues, bank: "sha256" | "sha384"): void {
  const required = { bank, indices: [0] };
  const good = { ak, ...quoted, nonce, pcrs, required };
  const other = bank === "sha256" ? "sha384" : "sha256";
  const flip = (bytes: Buffer, at: number) =>
    Buffer.from(bytes.map((byte, i) => (i === at ? byte ^ 1 : byte)));
  const changed = { ...pcrs[bank], 16: Buffer.alloc(pcrs[bank]?.[16]?.length ?? 0) };
  const { 23: _, ...without } = pcrs[bank] ?? {};
  const cases: [Partial<typeof good>, RegExp][] = [
    [{ nonce: Buffer.alloc(32, 8) }, /nonce differs/],
    [{ nonce: Buffer.alloc(31, 7) }, /nonce differs/],
    [{ required: { bank, indices: [0, 2] } }, /does not cover PCR 2/],
    [{ required: { bank: other, indices: [0] } }, /does not cover PCR 0/],
    [{ pcrs: { [bank]: changed } }, /not those that the TPM signed/],
    [{ pcrs: { [bank]: without } }, /PCR 23 .* is missing/],
    [{ pcrs: { [bank]: { ...pcrs[bank], 23: Buffer.alloc(20) } } }, /has 20 bytes/],
    [{ pcrs: {} }, /is missing/],
    [{ quote: flip(quoted.quote, 60) }, /not signed/],
    [{ quote: Buffer.concat([quoted.quote, Buffer.of(0)]) }, /not signed/],
    [{ signature: flip(quoted.signature, 40) }, /not signed/],
    [{ signature: flip(quoted.signature, 3) }, /not signed|hash algorithm/],
    [{ signature: Buffer.concat([quoted.signature, Buffer.of(0)]) }, /too many/],
    [{ signature: quoted.signature.subarray(0, -1) }, /too early/],
  ];
  for (const [change, message] of cases)
    assert.throws(() => verifyQuote({ ...good, ...change }), { code: "attestation.quote-invalid", message });
}

/** In the form of tpm2-tools. */
function writeCredential(tpm: Swtpm, { credentialBlob, encryptedSecret }: Credential): void {
  const head = Buffer.from("badcc0de00000001", "hex");
  writeFileSync(join(tpm.directory, "credential"), Buffer.concat([head, credentialBlob, encryptedSecret]));
}

/** The TPM opens what makeCredential sealed for it, and nothing that is for another key. */
async function activates(tpm: Swtpm, ek: "rsa" | "ecc", ak: PublicArea): Promise<void> {
  const area = parsePublic(read(tpm, `ek-${ek}.pub`));
  const secret = randomBytes(32);
  const write = (name: Buffer) => {
    writeCredential(tpm, makeCredential(area, name, secret, randomBytes));
  };
  const activate = async () => {
    await tpm.tool("startauthsession", "--policy-session", "-S", "session");
    await tpm.tool("policysecret", "-S", "session", "-c", "e");
    const keys = ["-c", "ak.ctx", "-C", `ek-${ek}.ctx`, "-P", "session:session"];
    try {
      await tpm.tool("activatecredential", ...keys, "-i", "credential", "-o", "secret");
    } finally {
      await tpm.tool("flushcontext", "session");
    }
  };
  write(nameOf(ak));
  await activate();
  assert.deepEqual(read(tpm, "secret"), secret);
  write(nameOf({ ...ak, attributes: ak.attributes ^ 0x40 }));
  await assert.rejects(activate, /integrity check failed/i);
}
