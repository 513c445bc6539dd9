import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { EV } from "@muster/shared/tpm/event-types";
import { Plant } from "../plant/plant.ts";
import { until } from "../plant/wait.ts";
import { usualBoot } from "../support/boot-log/usual-boot.ts";
import { digestIn, writeBootLog } from "../support/boot-log/write.ts";
import { Swtpm } from "../support/swtpm/swtpm.ts";
import { noSwtpm } from "../support/tools.ts";

interface Detail {
  assurance: string;
  verdict: string;
  withheld: boolean;
  sentence: string;
  freshAt: number | null;
  findings: { code: string; cause: string; message: string }[];
  chain: { head: number | null; missing: object[]; forked: boolean };
  measurement: { boot: string; rolledBack: boolean; release: { version: string } | null } | null;
}

const detail = (plant: Plant): Promise<Detail> =>
  plant.api().get<Detail>(`/attestation/devices/${plant.device.name}`);

/** Waits until the control plane has a fresh answer of the device about this version. */
const proven = (plant: Plant, version: string | null): Promise<Detail> =>
  until(`fresh evidence of ${version}`, 60_000, async () => {
    const found = await detail(plant).catch(() => undefined);
    const running = found?.measurement?.release?.version ?? null;
    return found?.freshAt && running === version ? found : undefined;
  });

describe("evidence in a plant", () => {
  let plant: Plant;
  afterEach(() => plant.stop());

  it("of a device without a TPM is believed as far as that goes", async () => {
    plant = new Plant({ MUSTER_TPM: "off" });
    await plant.start();
    const idle = await proven(plant, null);
    assert.deepEqual([idle.assurance, idle.withheld, idle.chain.forked], ["software", false, false]);
    await plant.release("1.0.0");
    plant.feeder.start();
    const rollout = await plant.rollOut("1.0.0");
    assert.equal(rollout.state, "completed", rollout.reason ?? "");
    const running = await proven(plant, "1.0.0");
    assert.deepEqual([running.withheld, running.chain.forked, running.chain.missing], [false, false, []]);
    await plant.device.stop("power-cut");
    plant.startDevice();
    const head = running.chain.head ?? 0;
    const back = await until("evidence after the power cut", 60_000, async () => {
      const found = await detail(plant);
      return (found.chain.head ?? 0) > head ? found : undefined;
    });
    assert.deepEqual([back.chain.forked, back.chain.missing], [false, []], back.sentence);
  });
});

/** What the firmware does before the system begins: it measures the boot, and leaves its log. */
async function boot(swtpm: Swtpm): Promise<string> {
  const events = usualBoot();
  for (const event of events.filter(({ type }) => type !== EV.NO_ACTION))
    await swtpm.tool("pcrextend", `${event.pcr}:sha256=${digestIn("sha256", event).toString("hex")}`);
  const file = join(swtpm.directory, "boot.log");
  writeFileSync(file, writeBootLog(events, ["sha256"]));
  return file;
}

describe("evidence in a plant with a TPM", { skip: noSwtpm }, () => {
  let plant: Plant;
  let swtpm: Swtpm;
  beforeEach(async () => {
    swtpm = await Swtpm.make();
    plant = new Plant({ MUSTER_TPM: swtpm.setting, MUSTER_BOOT_LOG: await boot(swtpm) });
  });
  afterEach(async () => {
    await plant.stop();
    await swtpm.stop();
  });

  it("tells a rollout and a power cut from an attack", async () => {
    await plant.start();
    await proven(plant, null);
    await plant.release("1.0.0");
    plant.feeder.start();
    const rollout = await plant.rollOut("1.0.0");
    assert.equal(rollout.state, "completed", rollout.reason ?? "");
    const running = await proven(plant, "1.0.0");
    const bad = ({ findings }: Detail) => findings.filter(({ cause }) => cause === "attack");
    assert.deepEqual(bad(running), [], running.sentence);
    await plant.device.stop("power-cut");
    await swtpm.powerCut();
    await boot(swtpm);
    plant.startDevice();
    const head = running.chain.head ?? 0;
    const back = await until("evidence after the power cut", 60_000, async () => {
      const found = await detail(plant);
      return (found.chain.head ?? 0) > head && found.measurement?.release ? found : undefined;
    });
    assert.deepEqual([bad(back), back.chain.forked, back.withheld], [[], false, false], back.sentence);
    await plant.device.stop();
    await swtpm.tool("pcrextend", `23:sha256=${"07".repeat(32)}`);
    plant.startDevice();
    await until("the foreign extension to be found", 60_000, async () => {
      const found = bad(await detail(plant)).map(({ code }) => code);
      return found.includes("attestation.measurement-log") || undefined;
    });
  });
});
