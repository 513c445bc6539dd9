import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { askStatus } from "@muster/agent/local-api/ask";
import type { statusOf } from "@muster/agent/status";
import { Plant } from "../plant/plant.ts";
import { until } from "../plant/wait.ts";
import { Swtpm } from "../support/swtpm/swtpm.ts";
import { noSwtpm } from "../support/tools.ts";

type Status = Partial<ReturnType<typeof statusOf>> & { link?: { state: string } | null };

const FIRMWARE = [0, 1, 2, 3, 4, 5, 6, 7];

describe("a device whose TPM is not there when it starts", { skip: noSwtpm }, () => {
  let plant: Plant;
  let swtpm: Swtpm;
  beforeEach(async () => {
    swtpm = await Swtpm.make({ certificates: false });
    // A box whose firmware measured nothing gets no release.
    await swtpm.tool("pcrextend", ...FIRMWARE.map((pcr) => `${pcr}:sha256=${"07".repeat(32)}`));
    plant = new Plant({ MUSTER_TPM: swtpm.setting });
    await plant.start();
    await plant.release("1.0.0");
    plant.feeder.start();
    const rollout = await plant.rollOut("1.0.0");
    assert.equal(rollout.state, "completed", rollout.reason ?? "");
    await plant.device.stop();
  });
  afterEach(async () => {
    swtpm.wake();
    await plant.stop();
    await swtpm.stop();
  });

  const status = () => askStatus(plant.device.localSocket) as Promise<Status>;

  /** It answers what it is asked, and its keys are closed. */
  async function serves(): Promise<void> {
    const { produced } = plant.feeder.counts;
    await until("results of the box", 60_000, async () => {
      return plant.feeder.counts.produced > produced + 5 || undefined;
    });
    const { locked, link, reported, device, enrolled } = await status();
    assert.ok(locked, "its keys are closed");
    assert.equal(link, null);
    assert.equal(reported?.running?.version, "1.0.0");
    assert.deepEqual([device?.startsWith("d"), enrolled?.assurance], [true, "tpm-pinned"]);
  }

  /** It is online, in the process that began without its TPM. */
  async function comesOnline(): Promise<void> {
    const { pid } = plant.device;
    await until("the device to be online", 90_000, async () => {
      const { link, locked } = await status();
      return (link?.state === "online" && locked === null) || undefined;
    });
    assert.equal((await status()).pid, pid);
  }

  it("serves while the chip hangs, ends when it is told to, and goes online when the chip answers", async () => {
    swtpm.hang();
    plant.startDevice();
    await serves();
    await plant.device.stop();
    plant.startDevice();
    await serves();
    swtpm.wake();
    await comesOnline();
  });

  it("serves while the chip is gone, and goes online when it is back", async () => {
    await swtpm.halt();
    plant.startDevice();
    await serves();
    await until(
      "a reason",
      30_000,
      async () => /swtpm|ENOENT|connect/.test((await status()).locked ?? "") || undefined,
    );
    await swtpm.resume();
    await comesOnline();
  });
});
