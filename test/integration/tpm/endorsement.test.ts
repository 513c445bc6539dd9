import assert from "node:assert/strict";
import { randomBytes, X509Certificate } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { EK_ECC_P256 } from "@muster/agent/tpm/keys/templates";
import { TPMA_OBJECT } from "@muster/shared/tpm/constants";
import { type EccPublicArea, encodePublic, parsePublic } from "@muster/shared/tpm/public-area";
import { Swtpm } from "../../support/swtpm/swtpm.ts";
import { noSwtpm } from "../../support/tools.ts";
import { activates, burn, certify } from "./maker.ts";
import { fileOf, write } from "./scene.ts";

describe("the endorsement key of a TPM", { skip: noSwtpm }, () => {
  let swtpm: Swtpm;
  before(async () => {
    swtpm = await Swtpm.make();
  });
  after(() => swtpm?.stop());

  it("has the intermediate certificates behind its own", async () => {
    const issuer = new X509Certificate(swtpm.issuer).raw;
    const root = new X509Certificate(swtpm.root).raw;
    const chain = Buffer.concat([issuer, root]);
    await burn(swtpm, "0x1c00100", chain.subarray(0, 1000));
    await burn(swtpm, "0x1c00101", Buffer.concat([chain.subarray(1000), Buffer.alloc(64, 0xff)]));
    const { certificates } = await activates(swtpm.setting);
    assert.deepEqual(certificates.slice(1), [issuer, root]);
  });

  it("is the P-384 key of the high range where that alone has a certificate", async () => {
    await swtpm.tool("nvundefine", "-C", "p", "0x1c00002");
    const ek = await activates(swtpm.setting);
    const area = parsePublic(ek.public);
    assert.ok(area.type === "ecc" && area.curve === "p384");
    await swtpm.tool("nvread", "0x1c00016", "-C", "o", "-o", "high.der");
    assert.deepEqual(await fileOf(swtpm, "high.der"), ek.certificates[0]);
    assert.ok(
      new X509Certificate(ek.certificates[0] ?? "").verify(new X509Certificate(swtpm.issuer).publicKey),
    );
    await swtpm.tool("evictcontrol", "-C", "o", "-c", "0x81010016");
    assert.deepEqual((await activates(swtpm.setting)).public, ek.public);
  });

  it("is the P-256 key before all others", async () => {
    await swtpm.tool("createek", ...["-c", "ecc.ctx", "-G", "ecc", "-u", "ecc.pub"]);
    await certify(swtpm, parsePublic(await fileOf(swtpm, "ecc.pub")) as EccPublicArea);
    const ek = await activates(swtpm.setting);
    assert.deepEqual(ek.public, await fileOf(swtpm, "ecc.pub"));
    assert.equal(ek.certificates.length, 3);
  });

  it("is the P-256 key of the default template where none has a certificate", async () => {
    const poor = await Swtpm.make({ certificates: false });
    try {
      const ek = await activates(poor.setting);
      assert.deepEqual(ek.certificates, []);
      await poor.tool("createek", ...["-c", "ecc.ctx", "-G", "ecc", "-u", "ecc.pub"]);
      assert.deepEqual(await fileOf(poor, "ecc.pub"), ek.public);
      await poor.tool("clear", "-c", "p");
      assert.deepEqual((await activates(poor.setting)).public, ek.public);
    } finally {
      await poor.stop();
    }
  });

  it("is the key of its maker's own template and nonce", async () => {
    const poor = await Swtpm.make({ certificates: false });
    try {
      const standard = encodePublic(EK_ECC_P256).subarray(2);
      // noDA is one more attribute than the standard template has.
      const template = Buffer.from(standard);
      template.writeUInt32BE(template.readUInt32BE(4) | TPMA_OBJECT.NO_DA, 4);
      await burn(poor, "0x1c0000c", template);
      const nonce = randomBytes(20);
      await burn(poor, "0x1c0000b", nonce);
      // tpm2_createek would make another key at each call: it fills in the address of the nonce.
      // A coordinate has 128 bytes in the file that tpm2_createprimary takes instead.
      await write(poor, "policy", EK_ECC_P256.authPolicy);
      const size = Buffer.from([32, 0]);
      const unique = [size, nonce, Buffer.alloc(128 - nonce.length), size, Buffer.alloc(128)];
      await write(poor, "unique", Buffer.concat(unique));
      const attributes = "fixedtpm|fixedparent|sensitivedataorigin|adminwithpolicy|restricted|decrypt|noda";
      const order = ["-C", "e", "-G", "ecc256:aes128cfb", "-a", attributes, "-L", "policy", "-u", "unique"];
      await poor.tool("createprimary", ...order, "-c", "own.ctx");
      await poor.leave("readpublic", "-c", "own.ctx", "-o", "own.pub");
      const own = parsePublic(await fileOf(poor, "own.pub")) as EccPublicArea;
      await certify(poor, own);
      const ek = await activates(poor.setting);
      assert.deepEqual(ek.public, await fileOf(poor, "own.pub"));
      assert.equal(ek.certificates.length, 1);
    } finally {
      await poor.stop();
    }
  });

  it("is not a key that its certificate is not about", async () => {
    const poor = await Swtpm.make({ certificates: false });
    try {
      await burn(poor, "0x1c0000a", Buffer.concat([new X509Certificate(swtpm.issuer).raw, Buffer.alloc(9)]));
      await burn(poor, "0x1c00002", randomBytes(700));
      assert.deepEqual((await activates(poor.setting)).certificates, []);
    } finally {
      await poor.stop();
    }
  });
});
