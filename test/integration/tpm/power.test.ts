import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { openTpm, type Tpm } from "@muster/agent/tpm/tpm";
import { isMusterError } from "@muster/shared/errors";
import { Swtpm } from "../../support/swtpm/swtpm.ts";
import { noSwtpm } from "../../support/tools.ts";
import { handlesIn, refused, using } from "./scene.ts";

const clockOf = async (tpm: Tpm) => (await tpm.quote("sha256", [0], randomBytes(32))).clock;

describe("a TPM that loses its power", { skip: noSwtpm }, () => {
  let swtpm: Swtpm;
  before(async () => {
    swtpm = await Swtpm.make({ certificates: false });
  });
  after(() => swtpm?.stop());

  it("tells a power cut from an orderly restart and from a sleep", async () => {
    const clock = () => using(swtpm.setting, clockOf);
    await swtpm.restart();
    const first = await clock();
    assert.equal(first.safe, true);
    await swtpm.suspend();
    const slept = await clock();
    assert.deepEqual([slept.resetCount, slept.restartCount], [first.resetCount, first.restartCount + 1]);
    await swtpm.restart();
    const restarted = await clock();
    assert.deepEqual([restarted.resetCount, restarted.restartCount], [first.resetCount + 1, 0]);
    assert.equal(restarted.safe, true);
    await swtpm.powerCut();
    const cut = await clock();
    assert.deepEqual([cut.resetCount, cut.restartCount, cut.safe], [first.resetCount + 2, 0, false]);
  });

  it("is used on by an agent that was connected", async () => {
    const tpm = await openTpm(swtpm.setting);
    assert.ok(tpm);
    const { name } = await tpm.attestationKey();
    const blob = await tpm.seal(Buffer.from("kept"), null);
    const before = await clockOf(tpm);
    await swtpm.powerCut();
    const after = await clockOf(tpm);
    assert.equal(after.resetCount, before.resetCount + 1);
    assert.deepEqual((await tpm.attestationKey()).name, name);
    assert.equal((await tpm.unseal(blob)).toString(), "kept");
    await tpm.close();
    await refused(tpm.pcrBanks(), "tpm.unavailable", /closed/);
  });

  it("fails what was under way with a code, and no more than that", async () => {
    const tpm = await openTpm(swtpm.setting);
    assert.ok(tpm);
    for (let cut = 0; cut < 5; cut++) {
      const work = [...Array(50).keys()].map((call) =>
        call % 2 === 0 ? clockOf(tpm) : tpm.seal(Buffer.from("kept"), null),
      );
      const settled = Promise.allSettled(work);
      await Promise.any(work);
      await swtpm.powerCut();
      for (const outcome of await settled)
        if (outcome.status === "rejected")
          assert.ok(isMusterError(outcome.reason, "tpm.unavailable"), String(outcome.reason));
      await clockOf(tpm);
    }
    await tpm.close();
    assert.deepEqual(await handlesIn(swtpm, "transient"), []);
  });

  it("makes room where an agent that was killed left its keys", async () => {
    for (let left = 0; left < 3; left++) await swtpm.leave("createprimary", "-C", "o", "-G", "ecc");
    await using(swtpm.setting, async (tpm) => {
      const blob = await tpm.seal(Buffer.from("kept"), null);
      assert.equal((await tpm.unseal(blob)).toString(), "kept");
    });
    assert.deepEqual(await handlesIn(swtpm, "transient"), []);
    assert.deepEqual(await handlesIn(swtpm, "loaded-session"), []);
  });

  it("keeps no slot taken by calls that fail", async () => {
    await using(swtpm.setting, async (tpm) => {
      for (let time = 0; time < 5; time++) {
        await tpm.endorsement();
        const blob = await tpm.seal(Buffer.from("kept"), null);
        await refused(tpm.certify(0x81000099, randomBytes(8)), "tpm.failed");
        await refused(tpm.activateCredential(randomBytes(9), randomBytes(9)), "tpm.credential-refused");
        assert.equal((await tpm.unseal(blob)).toString(), "kept");
      }
    });
    assert.deepEqual(await handlesIn(swtpm, "transient"), []);
    assert.deepEqual(await handlesIn(swtpm, "loaded-session"), []);
  });

  it("does with three slots what takes four, while nothing can be kept in it", async () => {
    await swtpm.tool("evictcontrol", "-C", "o", "-c", "0x81024d01");
    await swtpm.tool("createprimary", "-C", "o", "-G", "ecc", "-c", "foreign.ctx");
    await swtpm.tool("evictcontrol", "-C", "o", "-c", "foreign.ctx", "0x81024d01");
    await using(swtpm.setting, async (tpm) => {
      for (let round = 0; round < 2; round++) {
        const { name } = await tpm.endorsement();
        const blob = await tpm.seal(Buffer.from("kept"), { bank: "sha256", indices: [23] });
        await clockOf(tpm);
        await tpm.counter().increment();
        assert.equal((await tpm.unseal(blob)).toString(), "kept");
        assert.deepEqual((await tpm.endorsement()).name, name);
      }
    });
    assert.deepEqual(await handlesIn(swtpm, "transient"), []);
  });

  it("takes calls from all sides one after the other", async () => {
    await using(swtpm.setting, async (tpm) => {
      const work = [...Array(100).keys()].map((call) =>
        call % 3 === 0 ? tpm.extend(16, randomBytes(32)) : tpm.quote("sha256", [16], randomBytes(32)),
      );
      await Promise.all(work);
      const flood = [...Array(300).keys()].map(() => tpm.readPcrs("sha256", [0]));
      const outcomes = await Promise.allSettled(flood);
      assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 256);
      await refused(Promise.all(flood), "tpm.busy");
    });
  });
});
