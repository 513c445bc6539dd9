import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { Swtpm } from "../../support/swtpm/swtpm.ts";
import { noSwtpm } from "../../support/tools.ts";
import { handlesIn, refused, using } from "./scene.ts";

const OWN = { bank: "sha256", indices: [23, 7] } as const;

describe("what a TPM seals", { skip: noSwtpm }, () => {
  let swtpm: Swtpm;
  before(async () => {
    swtpm = await Swtpm.make({ banks: "sha256,sha384" });
  });
  after(() => swtpm?.stop());

  it("opens after restarts and power cuts, whatever its length", async () => {
    for (const length of [0, 1, 128, 129, 64 * 1024]) {
      const data = randomBytes(length);
      const blob = await using(swtpm.setting, (tpm) => tpm.seal(data, null));
      assert.ok(length < 16 || !blob.includes(data.subarray(0, 16)));
      if (length === 128) await swtpm.restart();
      if (length === 129) await swtpm.powerCut();
      assert.deepEqual(await using(swtpm.setting, (tpm) => tpm.unseal(blob)), data);
    }
  });

  it("stays shut while a PCR is another one, and opens after the restart that brings it back", async () => {
    const data = randomBytes(100);
    await using(swtpm.setting, async (tpm) => {
      const blob = await tpm.seal(data, OWN);
      assert.deepEqual(await tpm.unseal(blob), data);
      await tpm.extend(16, randomBytes(32));
      assert.deepEqual(await tpm.unseal(blob), data);
      await tpm.extend(23, randomBytes(32));
      await refused(tpm.unseal(blob), "tpm.policy-failed", /PCR 7, 23/);
      const anew = await tpm.seal(data, { bank: "sha384", indices: [23] });
      assert.deepEqual(await tpm.unseal(anew), data);
      await tpm.extend(23, randomBytes(32));
      await refused(tpm.unseal(anew), "tpm.policy-failed", /sha384/);
    });
  });

  it("stays shut in another TPM, and in this one once it was cleared", async () => {
    const other = await Swtpm.make({ certificates: false });
    try {
      const blob = await using(other.setting, (tpm) => tpm.seal(randomBytes(10), null));
      await using(swtpm.setting, (tpm) => refused(tpm.unseal(blob), "tpm.seal-foreign"));
      await other.tool("clear", "-c", "p");
      await using(other.setting, (tpm) => refused(tpm.unseal(blob), "tpm.seal-foreign"));
    } finally {
      await other.stop();
    }
  });

  it("stays shut where any bit of it is changed, cut off or added", async () => {
    await using(swtpm.setting, async (tpm) => {
      const blob = await tpm.seal(randomBytes(40), OWN);
      for (let position = 0; position < blob.length; position += 7) {
        const changed = Buffer.from(blob);
        changed.writeUInt8(changed.readUInt8(position) ^ (1 << (position & 7)), position);
        await assert.rejects(tpm.unseal(changed), /./, `bit of byte ${position}`);
        await refused(tpm.unseal(blob.subarray(0, position)), "tpm.seal-broken");
      }
      await refused(tpm.unseal(Buffer.concat([blob, Buffer.of(0)])), "tpm.seal-broken");
      await refused(tpm.unseal(Buffer.alloc(0)), "tpm.seal-broken");
      await refused(tpm.seal(Buffer.alloc(64 * 1024 + 1), null), "tpm.failed", /65536/);
      assert.equal((await tpm.unseal(blob)).length, 40);
    });
    assert.deepEqual(await handlesIn(swtpm, "transient"), []);
    assert.deepEqual(await handlesIn(swtpm, "loaded-session"), []);
  });
});
