import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Swtpm } from "../../support/swtpm/swtpm.ts";
import { noSwtpm } from "../../support/tools.ts";
import { fileOf, refused, using } from "./scene.ts";

const INDEX = "0x1814d01";

describe("the counter of a TPM", { skip: noSwtpm }, () => {
  let swtpm: Swtpm;
  before(async () => {
    swtpm = await Swtpm.make({ certificates: false });
  });
  after(() => swtpm?.stop());

  it("grows, outlives power cuts, and is what tpm2_nvread reads", async () => {
    const first = await using(swtpm.setting, (tpm) => tpm.counter().read());
    await using(swtpm.setting, async (tpm) => {
      const counter = tpm.counter();
      assert.equal(await counter.read(), first);
      assert.equal(await counter.increment(), first + 1n);
      assert.equal(await counter.increment(), first + 2n);
    });
    await swtpm.powerCut();
    assert.equal(await using(swtpm.setting, (tpm) => tpm.counter().read()), first + 2n);
    await swtpm.tool("nvread", INDEX, "-C", INDEX, "-o", "counter");
    assert.equal((await fileOf(swtpm, "counter")).readBigUInt64BE(), first + 2n);
  });

  it("never begins where it was before, even after somebody deleted it", async () => {
    const before = await using(swtpm.setting, (tpm) => tpm.counter().increment());
    await swtpm.tool("nvundefine", INDEX, "-C", "o");
    assert.ok((await using(swtpm.setting, (tpm) => tpm.counter().read())) > before);
  });

  it("is not taken from another program that has its place", async () => {
    await swtpm.tool("nvundefine", INDEX, "-C", "o");
    await swtpm.tool("nvdefine", INDEX, "-C", "o", "-s", "8", "-a", "ownerread|ownerwrite");
    await using(swtpm.setting, (tpm) => refused(tpm.counter().read(), "tpm.failed", /Another program/));
    await swtpm.tool("nvundefine", INDEX, "-C", "o");
  });
});
