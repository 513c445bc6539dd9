import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { openTpm, type Tpm } from "@muster/agent/tpm/tpm";
import { isMusterError } from "@muster/shared/errors";
import { TPM_CC } from "@muster/shared/tpm/constants";
import { makeCredential } from "@muster/shared/tpm/credential";
import { parsePublic } from "@muster/shared/tpm/public-area";
import fc from "fast-check";
import { Bus } from "../../support/swtpm/bus.ts";
import { Swtpm } from "../../support/swtpm/swtpm.ts";
import { noSwtpm } from "../../support/tools.ts";
import { handlesIn, refused, using } from "./scene.ts";

const codeOf = (command: Buffer): number => command.readUInt32BE(6);

describe("somebody with a probe on the bus of a TPM", { skip: noSwtpm }, () => {
  let swtpm: Swtpm;
  let bus: Bus;
  before(async () => {
    swtpm = await Swtpm.make({ certificates: false });
    bus = await Bus.between(swtpm);
  });
  after(async () => {
    await bus?.stop();
    await swtpm?.stop();
  });

  it("hears neither the secret of a credential nor the key of what is sealed", async () => {
    // The agent draws the key that is sealed, so that what is looked for on the bus is known here.
    const secret = randomBytes(32);
    const drawn: Buffer[] = [];
    const random = (bytes: number): Buffer => {
      const draw = randomBytes(bytes);
      drawn.push(draw);
      return draw;
    };
    const tpm = await openTpm(bus.setting, { random });
    assert.ok(tpm);
    const ek = await tpm.endorsement();
    const ak = await tpm.attestationKey();
    const made = makeCredential(parsePublic(ek.public), ak.name, secret, randomBytes);
    assert.deepEqual(await tpm.activateCredential(made.credentialBlob, made.encryptedSecret), secret);
    const before = drawn.length;
    const blob = await tpm.seal(randomBytes(10), { bank: "sha256", indices: [23] });
    const key = drawn[before] ?? Buffer.alloc(0);
    assert.equal(key.length, 32);
    await tpm.unseal(blob);
    await tpm.close();
    const all = Buffer.concat(bus.heard.flatMap(({ command, answer }) => [command, answer]));
    assert.ok(all.includes(ak.name));
    assert.ok(!all.includes(secret));
    assert.ok(!all.includes(key));
  });

  it("cannot change what the counter says, or what comes out of a seal", async () => {
    const sealed = await using(swtpm.setting, (tpm) => tpm.seal(Buffer.from("kept"), null));
    for (const code of [TPM_CC.NV_Read, TPM_CC.Unseal]) {
      bus.change = (answer, command) => {
        if (codeOf(command) !== code || answer.length < 20) return answer;
        const changed = Buffer.from(answer);
        changed.writeUInt8(changed.readUInt8(17) ^ 1, 17);
        return changed;
      };
      const work = code === TPM_CC.NV_Read ? "read" : "unseal";
      await using(bus.setting, (tpm) =>
        refused(
          work === "read" ? tpm.counter().read() : tpm.unseal(sealed),
          "tpm.malformed",
          /changed on its way/,
        ),
      );
    }
    bus.change = (answer) => answer;
    await using(bus.setting, async (tpm) => assert.equal((await tpm.unseal(sealed)).toString(), "kept"));
  });

  it("gets nothing wrong past the agent by turning any bit of any answer", async () => {
    const told = await using(swtpm.setting, async (tpm) => ({
      counter: await tpm.counter().read(),
      sealed: await tpm.seal(Buffer.from("kept"), { bank: "sha256", indices: [0] }),
      name: (await tpm.attestationKey()).name,
    }));
    const garbled = fc.record({ crossing: fc.nat(30), byte: fc.nat(400), bit: fc.nat(7) });
    await fc.assert(
      fc.asyncProperty(garbled, async ({ crossing, byte, bit }) => {
        let crossings = 0;
        bus.change = (answer) => {
          if (crossings++ !== crossing) return answer;
          const changed = Buffer.from(answer);
          const at = byte % changed.length;
          changed.writeUInt8(changed.readUInt8(at) ^ (1 << bit), at);
          return changed;
        };
        let tpm: Tpm | undefined;
        try {
          tpm = await openTpm(bus.setting, { timeoutMs: 300, pause: async () => {} });
          assert.ok(tpm);
          const work = [tpm.endorsement(), tpm.attestationKey(), tpm.quote("sha256", [0], told.name)];
          const [unsealed, counter] = [tpm.unseal(told.sealed), tpm.counter().read()];
          for (const outcome of await Promise.allSettled([unsealed, counter, ...work]))
            if (outcome.status === "rejected") throw outcome.reason;
          assert.equal((await unsealed).toString(), "kept");
          assert.ok((await counter) >= told.counter);
        } catch (error) {
          assert.ok(isMusterError(error) && error.code.startsWith("tpm."), String(error));
        } finally {
          await tpm?.close();
        }
      }),
      { numRuns: 150 },
    );
    bus.change = (answer) => answer;
  });

  it("cannot fill the TPM up by cutting connections", async () => {
    const huge = Buffer.from("8001ffffffff00000000", "hex");
    bus.change = (answer, command) => (codeOf(command) === TPM_CC.StartAuthSession ? huge : answer);
    await using(bus.setting, async (tpm) => {
      for (let cut = 0; cut < 10; cut++) await refused(tpm.counter().read(), "tpm.malformed", /4294967295/);
      bus.change = (answer) => answer;
      await tpm.counter().read();
    });
    assert.deepEqual(await handlesIn(swtpm, "loaded-session"), []);
    assert.deepEqual(await handlesIn(swtpm, "transient"), []);
  });

  it("is asked again where the TPM says that it was busy, and believed at last", async () => {
    const waits: number[] = [];
    const pause = async (ms: number) => waits.push(ms);
    const busy = Buffer.from("80010000000a00000922", "hex");
    bus.change = (answer, command) =>
      codeOf(command) === TPM_CC.PCR_Read && waits.length < 3 ? busy : answer;
    const read = (tpm: Tpm) => tpm.readPcrs("sha256", [0]);
    await using(bus.setting, async (tpm) => assert.equal((await read(tpm)).size, 1), { pause });
    assert.deepEqual(waits, [5, 10, 20]);
    bus.change = (answer, command) => (codeOf(command) === TPM_CC.PCR_Read ? busy : answer);
    await using(bus.setting, (tpm) => refused(read(tpm), "tpm.busy", /RETRY/), { pause });
    bus.change = (answer) => answer;
  });

  it("hears the words for a lockout, a failed TPM and one that is full", async () => {
    const cases = [
      ["00000921", "tpm.locked-out", /locked out/],
      ["00000101", "tpm.failed", /failure mode/],
      ["00000903", "tpm.full", /session/],
      ["0000014b", "tpm.full", /NV_SPACE/],
      ["0000098e", "tpm.authorization-failed", /session 1.*password/],
      ["00000143", "tpm.unsupported", /does not know/],
      ["00000abc", "tpm.failed", /unknown/],
      ["ffffffff", "tpm.failed", /0xffffffff/],
    ] as const;
    for (const [rc, code, words] of cases) {
      bus.change = (answer, command) =>
        codeOf(command) === TPM_CC.PCR_Extend ? Buffer.from(`80010000000a${rc}`, "hex") : answer;
      await using(bus.setting, (tpm) => refused(tpm.extend(23, randomBytes(32)), code, words));
    }
    bus.change = (answer) => answer;
  });
});
