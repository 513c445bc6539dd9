import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { parseAttest } from "@muster/shared/tpm/attest";
import { HASH_SIZE } from "@muster/shared/tpm/hash";
import { extendPcr } from "@muster/shared/tpm/pcr";
import { parsePublic } from "@muster/shared/tpm/public-area";
import { verifyQuote } from "@muster/shared/tpm/quote";
import { verifyAttest } from "@muster/shared/tpm/signature";
import { Swtpm } from "../../support/swtpm/swtpm.ts";
import { noSwtpm } from "../../support/tools.ts";
import { fileOf, refused, using, write } from "./scene.ts";

/** The attestation key is kept here. */
const AK = "0x81024d01";
const BANKS = ["sha1", "sha256", "sha384", "sha512"] as const;
const ALL = [...Array(24).keys()];

describe("what a TPM measures, beside tpm2-tools", { skip: noSwtpm }, () => {
  let swtpm: Swtpm;
  before(async () => {
    swtpm = await Swtpm.make({ banks: BANKS.join(",") });
    await swtpm.tool("pcrextend", `16:sha1=${"11".repeat(20)},sha256=${"22".repeat(32)}`);
    await write(swtpm, "event", randomBytes(100));
    await swtpm.tool("pcrevent", "8", "event");
  });
  after(() => swtpm?.stop());

  it("are the same PCRs in all banks", async () => {
    const ours = await using(swtpm.setting, async (tpm) => {
      assert.deepEqual(await tpm.pcrBanks(), [...BANKS]);
      const read: Buffer[] = [];
      for (const bank of BANKS) read.push(...(await tpm.readPcrs(bank, ALL)).values());
      return read;
    });
    await swtpm.tool("pcrread", ...["-o", "pcrs"], BANKS.map((bank) => `${bank}:all`).join("+"));
    assert.deepEqual(Buffer.concat(ours), await fileOf(swtpm, "pcrs"));
  });

  it("is extended in every bank that may be judged by", async () => {
    const digest = randomBytes(32);
    await using(swtpm.setting, async (tpm) => {
      await tpm.extend(23, digest);
      for (const bank of BANKS) {
        const value = (await tpm.readPcrs(bank, [23])).get(23);
        const zeros = Buffer.alloc(HASH_SIZE[bank]);
        const filled = Buffer.concat([digest, zeros]).subarray(0, zeros.length);
        assert.deepEqual(value, bank === "sha1" ? zeros : extendPcr(bank, zeros, filled));
      }
    });
    await swtpm.tool("pcrread", "-o", "pcr23", "sha256:23");
    assert.deepEqual(await fileOf(swtpm, "pcr23"), extendPcr("sha256", Buffer.alloc(32), digest));
  });

  it("is quoted so that tpm2_checkquote agrees", async () => {
    const nonce = randomBytes(32);
    const { ak, made } = await using(swtpm.setting, async (tpm) => ({
      ak: await tpm.attestationKey(),
      made: await tpm.quote("sha256", [23, 0, 7, 8, 16, 7], nonce),
    }));
    assert.deepEqual([...made.pcrs.keys()], [0, 7, 8, 16, 23]);
    verifyQuote({
      ak: parsePublic(ak.public),
      ...made,
      nonce,
      pcrs: { sha256: Object.fromEntries(made.pcrs) },
      required: { bank: "sha256", indices: [0, 7, 8, 16, 23] },
    });
    await write(swtpm, "quote", made.quote);
    await write(swtpm, "signature", made.signature);
    await swtpm.tool("readpublic", ...["-c", AK, "-f", "pem", "-o", "ak.pem", "-n", "ak.name"]);
    assert.deepEqual(await fileOf(swtpm, "ak.name"), ak.name);
    const check = ["-u", "ak.pem", "-m", "quote", "-s", "signature", "-g", "sha256"];
    await swtpm.tool("checkquote", ...check, "-q", nonce.toString("hex"));
    await assert.rejects(swtpm.tool("checkquote", ...check, "-q", randomBytes(32).toString("hex")));
  });

  it("is quoted by tpm2_quote with the same key alike", async () => {
    const nonce = randomBytes(20);
    const order = ["-c", AK, "-l", "sha384:0,7,23", "-q", nonce.toString("hex"), "-g", "sha256"];
    await swtpm.tool("quote", ...order, ...["-m", "their.quote", "-s", "their.signature"]);
    const { ak, ours } = await using(swtpm.setting, async (tpm) => ({
      ak: await tpm.attestationKey(),
      ours: await tpm.quote("sha384", [0, 7, 23], nonce),
    }));
    const theirs = parseAttest(await fileOf(swtpm, "their.quote"));
    const { clock: _theirs, ...told } = theirs;
    const { clock, ...said } = parseAttest(ours.quote);
    assert.deepEqual(said, told);
    assert.deepEqual(clock, ours.clock);
    assert.ok(
      verifyAttest(
        parsePublic(ak.public),
        await fileOf(swtpm, "their.quote"),
        await fileOf(swtpm, "their.signature"),
      ),
    );
  });

  it("certifies a key that tpm2-tools keep in it", async () => {
    await swtpm.tool("createprimary", "-C", "o", "-G", "ecc", "-c", "key.ctx");
    await swtpm.tool("evictcontrol", "-C", "o", "-c", "key.ctx", "0x81000042");
    await swtpm.tool("readpublic", "-c", "0x81000042", "-n", "key.name", "-q", "key.qualified");
    const nonce = randomBytes(32);
    const { ak, made } = await using(swtpm.setting, async (tpm) => ({
      ak: await tpm.attestationKey(),
      made: await tpm.certify(0x81000042, nonce),
    }));
    assert.ok(verifyAttest(parsePublic(ak.public), made.attest, made.signature));
    const { type, extraData, certify } = parseAttest(made.attest);
    assert.equal(type, "certify");
    assert.deepEqual(extraData, nonce);
    assert.deepEqual(certify?.name, await fileOf(swtpm, "key.name"));
    assert.deepEqual(certify?.qualifiedName, await fileOf(swtpm, "key.qualified"));
  });

  it("refuses what no TPM does, in words", async () => {
    await using(swtpm.setting, async (tpm) => {
      await refused(tpm.quote("sha256", [24], randomBytes(32)), "tpm.failed", /24 is none/);
      await refused(tpm.quote("sha256", [], randomBytes(32)), "tpm.failed");
      await refused(tpm.quote("sha256", [0], randomBytes(65)), "tpm.failed", /64 bytes/);
      await refused(tpm.extend(23, randomBytes(20)), "tpm.failed", /32 bytes/);
      await refused(tpm.extend(24, randomBytes(32)), "tpm.failed");
      await refused(tpm.certify(0x81000043, randomBytes(8)), "tpm.failed", /HANDLE/);
      assert.equal((await tpm.readPcrs("sha256", [0])).size, 1);
    });
  });

  it("has no PCRs in a bank that is not in use", async () => {
    const poor = await Swtpm.make({ certificates: false, banks: "sha256" });
    try {
      await using(poor.setting, async (tpm) => {
        assert.deepEqual(await tpm.pcrBanks(), ["sha256"]);
        await refused(tpm.readPcrs("sha384", [0]), "tpm.unsupported", /sha384/);
        await refused(tpm.quote("sha384", [0], randomBytes(8)), "tpm.unsupported");
        await tpm.extend(23, randomBytes(32));
      });
    } finally {
      await poor.stop();
    }
  });
});
