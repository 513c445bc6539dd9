import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { addressOf } from "@muster/agent/tpm/address";
import { openTpm } from "@muster/agent/tpm/tpm";
import { isMusterError, type MusterError } from "@muster/shared/errors";
import { Swtpm } from "../../support/swtpm/swtpm.ts";
import { noSwtpm } from "../../support/tools.ts";
import { refused } from "./scene.ts";

describe("the setting --tpm", () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "open-tpm-"));
  });
  after(() => rm(directory, { recursive: true }));

  it("names devices and sockets", () => {
    assert.deepEqual(addressOf("device:/dev/tpm0"), { kind: "device", path: "/dev/tpm0" });
    assert.deepEqual(addressOf("swtpm:unix:/run/a b.sock"), { kind: "unix", path: "/run/a b.sock" });
    assert.deepEqual(addressOf("swtpm:tpm.local:2321"), { kind: "tcp", host: "tpm.local", port: 2321 });
    assert.deepEqual(addressOf("swtpm:[::1]:2321"), { kind: "tcp", host: "::1", port: 2321 });
  });

  for (const wrong of [
    "",
    "on",
    "device:",
    "device:tpm0",
    "swtpm:",
    "swtpm:host",
    "swtpm:host:0",
    "swtpm:host:65536",
  ])
    it(`does not take "${wrong}"`, () =>
      assert.throws(
        () => addressOf(wrong),
        (error) => isMusterError(error, "settings.invalid"),
      ));

  it("finds none where there is none, or none is wanted", async () => {
    const notice = () => assert.fail("there is nothing to tell");
    assert.equal(await openTpm("off", { notice }), undefined);
    assert.equal(await openTpm("auto", { notice, device: join(directory, "none") }), undefined);
  });

  it("tells of one that cannot be used, and goes on", async () => {
    const told: MusterError[] = [];
    const notice = (error: MusterError) => told.push(error);
    await writeFile(join(directory, "no-tpm"), "mine");
    assert.equal(await openTpm("auto", { notice, device: join(directory, "no-tpm") }), undefined);
    assert.equal(await openTpm("auto", { notice, device: directory }), undefined);
    assert.deepEqual(
      told.map(({ code }) => code),
      ["tpm.unavailable", "tpm.unavailable"],
    );
    assert.match(told[0]?.message ?? "", /There is a TPM, and it is not used: .* is no device/);
    assert.match(told[1]?.message ?? "", /There is a TPM, and it is not used: .*EISDIR/);
    assert.equal(await readFile(join(directory, "no-tpm"), "utf8"), "mine");
    await refused(openTpm(`device:${directory}`), "tpm.unavailable", /EISDIR/);
    await refused(openTpm(`device:${directory}/none`), "tpm.unavailable", /ENOENT/);
  });

  it("reaches a software TPM over TCP", { skip: noSwtpm }, async () => {
    const swtpm = await Swtpm.make({ certificates: false, isTcp: true });
    try {
      assert.match(swtpm.setting, /^swtpm:127\.0\.0\.1:\d+$/);
      const tpm = await openTpm(swtpm.setting);
      assert.equal((await tpm?.readPcrs("sha256", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]))?.size, 11);
      await swtpm.powerCut();
      assert.equal((await tpm?.readPcrs("sha256", [0]))?.size, 1);
      await tpm?.close();
    } finally {
      await swtpm.stop();
    }
  });
});
