import assert from "node:assert/strict";
import { randomBytes, X509Certificate } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { isMusterError } from "@muster/shared/errors";
import { makeCredential } from "@muster/shared/tpm/credential";
import { checkAttestationKey, checkEndorsementKey } from "@muster/shared/tpm/key-fitness";
import { nameOf, parsePublic } from "@muster/shared/tpm/public-area";
import { Swtpm } from "../../support/swtpm/swtpm.ts";
import { noSwtpm } from "../../support/tools.ts";
import { activates } from "./maker.ts";
import { fileOf, handlesIn, refused, using, write } from "./scene.ts";

describe("who a TPM is, beside tpm2-tools", { skip: noSwtpm }, () => {
  let swtpm: Swtpm;
  before(async () => {
    swtpm = await Swtpm.make();
  });
  after(() => swtpm?.stop());

  it("is the RSA key of its certificate, which its maker issued", async () => {
    const ek = await activates(swtpm.setting);
    const area = parsePublic(ek.public);
    checkEndorsementKey(area);
    assert.equal(area.type, "rsa");
    assert.deepEqual(nameOf(area), ek.name);
    await swtpm.tool("createek", ...["-c", "ek.ctx", "-G", "rsa", "-u", "ek.pub"]);
    assert.deepEqual(await fileOf(swtpm, "ek.pub"), ek.public);
    await swtpm.tool("nvread", "0x1c00002", "-C", "o", "-o", "ek.der");
    const [certificate, ...more] = ek.certificates;
    assert.deepEqual(await fileOf(swtpm, "ek.der"), certificate);
    assert.deepEqual(more, []);
    const issuer = new X509Certificate(swtpm.issuer);
    assert.ok(new X509Certificate(certificate ?? "").verify(issuer.publicKey));
  });

  it("activates what tpm2_makecredential makes", async () => {
    const secret = randomBytes(32);
    const { ek, ak } = await using(swtpm.setting, async (tpm) => ({
      ek: await tpm.endorsement(),
      ak: await tpm.attestationKey(),
    }));
    checkAttestationKey(parsePublic(ak.public));
    await write(swtpm, "ek.pub", ek.public);
    await write(swtpm, "secret", secret);
    const order = ["-T", "none", "-u", "ek.pub", "-s", "secret", "-n", ak.name.toString("hex")];
    await swtpm.tool("makecredential", ...order, "-o", "credential");
    const made = await fileOf(swtpm, "credential");
    const blob = made.subarray(8, 8 + 2 + made.readUInt16BE(8));
    const encrypted = made.subarray(8 + blob.length);
    await using(swtpm.setting, async (tpm) => {
      assert.deepEqual(await tpm.activateCredential(blob, encrypted), secret);
      for (const wrong of [Buffer.alloc(0), blob.subarray(0, 20), randomBytes(blob.length)])
        await refused(tpm.activateCredential(wrong, encrypted), "tpm.credential-refused");
      await refused(tpm.activateCredential(blob, encrypted.subarray(0, 90)), "tpm.credential-refused");
      const other = makeCredential(parsePublic(ek.public), randomBytes(34), secret, randomBytes);
      await refused(
        tpm.activateCredential(other.credentialBlob, other.encryptedSecret),
        "tpm.credential-refused",
        /another attestation key/,
      );
    });
  });

  it("does not activate what was made for another TPM, in words of its own", async () => {
    const other = await Swtpm.make();
    try {
      const { public: theirs } = await using(other.setting, (tpm) => tpm.endorsement());
      await using(swtpm.setting, async (tpm) => {
        const { name } = await tpm.attestationKey();
        const made = makeCredential(parsePublic(theirs), name, randomBytes(32), randomBytes);
        await refused(
          tpm.activateCredential(made.credentialBlob, made.encryptedSecret),
          "tpm.credential-refused",
        );
      });
    } finally {
      await other.stop();
    }
  });

  it("has one attestation key for ever, whatever becomes of the disk and of what it keeps", async () => {
    const name = () => using(swtpm.setting, async (tpm) => (await tpm.attestationKey()).name);
    const first = await name();
    await swtpm.powerCut();
    assert.deepEqual(await name(), first);
    await swtpm.tool("evictcontrol", "-C", "o", "-c", "0x81024d01");
    assert.deepEqual(await name(), first);
    await swtpm.tool("evictcontrol", "-C", "o", "-c", "0x81024d01");
    await swtpm.tool("createprimary", "-C", "o", "-G", "ecc", "-c", "foreign.ctx");
    await swtpm.tool("evictcontrol", "-C", "o", "-c", "foreign.ctx", "0x81024d01");
    assert.deepEqual(await name(), first);
    await swtpm.tool("evictcontrol", "-C", "o", "-c", "0x81024d01");
  });

  it("leaves nothing loaded, not even after a refusal", async () => {
    for (const kind of ["transient", "loaded-session", "saved-session"] as const)
      assert.deepEqual(await handlesIn(swtpm, kind), []);
  });

  it("says so where it is locked out, and attests on", async () => {
    const locked = await Swtpm.make();
    try {
      await locked.tool("nvundefine", "-C", "p", "0x1c00002");
      await activates(locked.setting);
      await locked.tool("dictionarylockout", ...["-s", "-n", "1", "-t", "1000", "-l", "1000"]);
      await locked.tool("createprimary", ...["-C", "o", "-G", "ecc", "-p", "secret", "-c", "key.ctx"]);
      const guess = ["-C", "key.ctx", "-P", "wrong", "-G", "ecc", "-u", "child.pub", "-r", "child.key"];
      await assert.rejects(locked.tool("create", ...guess));
      await assert.rejects(activates(locked.setting), (error) => isMusterError(error, "tpm.locked-out"));
      await using(locked.setting, async (tpm) => {
        await tpm.quote("sha256", [0], randomBytes(32));
        await tpm.counter().increment();
        assert.deepEqual(await tpm.unseal(await tpm.seal(Buffer.of(1), null)), Buffer.of(1));
      });
      await locked.tool("dictionarylockout", "--clear-lockout");
      await activates(locked.setting);
    } finally {
      await locked.stop();
    }
  });

  it("says so where a hierarchy has a password", async () => {
    const poor = await Swtpm.make({ certificates: false });
    try {
      await poor.tool("changeauth", "-c", "endorsement", "secret");
      await using(poor.setting, (tpm) => refused(tpm.endorsement(), "tpm.authorization-failed", /password/));
      await poor.tool("changeauth", "-c", "owner", "secret");
      await poor.tool("changeauth", "-c", "endorsement", "-p", "secret", "");
      await activates(poor.setting);
      await using(poor.setting, (tpm) => refused(tpm.seal(Buffer.of(1), null), "tpm.authorization-failed"));
      await poor.tool("createprimary", "-C", "o", "-P", "secret", "-G", "ecc", "-c", "srk.ctx");
      await poor.tool("evictcontrol", "-C", "o", "-P", "secret", "-c", "srk.ctx", "0x81000001");
      await using(poor.setting, async (tpm) => {
        assert.deepEqual(await tpm.unseal(await tpm.seal(Buffer.of(1), null)), Buffer.of(1));
        await refused(tpm.counter().read(), "tpm.authorization-failed");
      });
    } finally {
      await poor.stop();
    }
  });
});
