import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { TPM_CC } from "@muster/shared/tpm/constants";
import { makeCredential } from "@muster/shared/tpm/credential";
import { parsePublic } from "@muster/shared/tpm/public-area";
import { verifyQuote } from "@muster/shared/tpm/quote";
import { Bus } from "../../support/swtpm/bus.ts";
import { Swtpm } from "../../support/swtpm/swtpm.ts";
import { noSwtpm } from "../../support/tools.ts";
import { using } from "./scene.ts";

/** Command code and TPM_CAP_ECC_CURVES. */
const ASKS_FOR_CURVES = Buffer.from([0, 0, 1, 0x7a, 0, 0, 0, 8]);
const NO_CURVES = Buffer.from("8001000000130000000000000000080000" + "0000", "hex");

describe("a TPM that knows no elliptic curves", { skip: noSwtpm }, () => {
  let swtpm: Swtpm;
  let bus: Bus;
  before(async () => {
    swtpm = await Swtpm.make({ certificates: false });
    bus = await Bus.between(swtpm);
    bus.change = (answer, command) => (command.subarray(6, 14).equals(ASKS_FOR_CURVES) ? NO_CURVES : answer);
  });
  after(async () => {
    await bus?.stop();
    await swtpm?.stop();
  });

  it("attests, activates, seals and counts with RSA", async () => {
    await using(bus.setting, async (tpm) => {
      const ek = parsePublic((await tpm.endorsement()).public);
      const { name, public: area } = await tpm.attestationKey();
      const ak = parsePublic(area);
      assert.deepEqual([ek.type, ak.type], ["rsa", "rsa"]);
      const secret = randomBytes(32);
      const made = makeCredential(ek, name, secret, randomBytes);
      assert.deepEqual(await tpm.activateCredential(made.credentialBlob, made.encryptedSecret), secret);
      const nonce = randomBytes(32);
      const quoted = await tpm.quote("sha256", [23], nonce);
      verifyQuote({
        ak,
        ...quoted,
        nonce,
        pcrs: { sha256: Object.fromEntries(quoted.pcrs) },
        required: { bank: "sha256", indices: [23] },
      });
      const blob = await tpm.seal(secret, { bank: "sha256", indices: [23] });
      assert.deepEqual(await tpm.unseal(blob), secret);
      assert.ok((await tpm.counter().read()) > 0n);
    });
    assert.ok(bus.heard.some(({ command }) => command.readUInt32BE(6) === TPM_CC.CreatePrimary));
  });
});
