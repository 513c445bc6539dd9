import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { openTpm, type Tpm } from "@muster/agent/tpm/tpm";
import { parsePublic } from "@muster/shared/tpm/public-area";
import { verifyQuote } from "@muster/shared/tpm/quote";
import { AsDevice } from "../../support/swtpm/as-device.ts";
import { Swtpm } from "../../support/swtpm/swtpm.ts";
import { noSwtpm } from "../../support/tools.ts";
import { refused } from "./scene.ts";

describe("a TPM as a device of the kernel", { skip: noSwtpm }, () => {
  let swtpm: Swtpm;
  let device: AsDevice;
  before(async () => {
    swtpm = await Swtpm.make({ certificates: false });
  });
  after(() => swtpm?.stop());
  beforeEach(async () => {
    device = await AsDevice.of(swtpm);
  });
  afterEach(() => device?.stop());

  async function opened(timeoutMs = 20_000): Promise<Tpm> {
    const notice = (error: Error) => assert.fail(error);
    const tpm = await openTpm("auto", { device: device.path, notice, timeoutMs });
    assert.ok(tpm);
    assert.equal(tpm.where, device.path);
    return tpm;
  }

  it("does everything that it does over a socket", async () => {
    const tpm = await opened();
    const ak = parsePublic((await tpm.attestationKey()).public);
    const nonce = randomBytes(32);
    const indices = [...Array(24).keys()];
    const made = await tpm.quote("sha256", indices, nonce);
    verifyQuote({
      ak,
      ...made,
      nonce,
      pcrs: { sha256: Object.fromEntries(made.pcrs) },
      required: { bank: "sha256", indices },
    });
    const blob = await tpm.seal(Buffer.from("kept"), { bank: "sha256", indices });
    assert.equal((await tpm.unseal(blob)).toString(), "kept");
    const value = await tpm.counter().read();
    assert.equal(await tpm.counter().increment(), value + 1n);
    assert.deepEqual((await tpm.endorsement()).certificates, []);
    await tpm.close();
  });

  it("is left alone while it hangs, and used again once it is through", async () => {
    const tpm = await opened(100);
    device.hang();
    await refused(tpm.readPcrs("sha256", [0]), "tpm.timeout", /silent/);
    await refused(tpm.readPcrs("sha256", [0]), "tpm.timeout", /busy with a command/);
    device.goOn();
    for (;;) {
      const read = await tpm.readPcrs("sha256", [0]).catch(() => undefined);
      if (read?.size === 1) break;
      await setTimeout(10);
    }
    await tpm.close();
  });
});
