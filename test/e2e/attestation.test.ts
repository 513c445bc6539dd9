import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openTpm, type Tpm } from "@muster/agent/tpm/tpm";
import type { AttestationHistory, AttestationResource } from "@muster/control-plane/api/schemas/attestation";
import { Plant } from "../plant/plant.ts";
import { until } from "../plant/wait.ts";
import { Swtpm } from "../support/swtpm/swtpm.ts";

let swtpm: Swtpm;
let plant: Plant;

/** What the firmware of the box measures at each start. */
async function measureBoot(version: number): Promise<void> {
  const tpm = (await openTpm(swtpm.setting)) as Tpm;
  for (let pcr = 0; pcr < 8; pcr += 1)
    await tpm.extend(pcr, Buffer.alloc(32, pcr === 0 ? 16 * version : pcr + 1));
  await tpm.close();
}

before(async () => {
  swtpm = await Swtpm.make();
  await measureBoot(1);
  plant = new Plant({ MUSTER_TPM: swtpm.setting });
  await plant.start();
  plant.feeder.start();
});
after(async () => {
  await plant.stop();
  await swtpm.stop();
});

const show = () => plant.api().get<AttestationResource>(`/attestation/devices/${plant.device.name}`);

/** The verdict once it is about this, asked for again and again. */
const proven = (what: string, holds: (shown: AttestationResource) => boolean) =>
  until(what, 60_000, async () => {
    const shown = await show();
    return holds(shown) ? shown : undefined;
  });

async function entries(): Promise<AttestationHistory["entries"]> {
  const path = `/attestation/devices/${plant.device.name}/history?limit=200`;
  return (await plant.api().get<AttestationHistory>(path)).entries;
}

test("a real agent with a real TPM is learned as golden, and no rollout trips it", async () => {
  const first = await proven("the first verdict", ({ verdict }) => verdict !== "none");
  assert.equal(first.verdict, "warning", first.sentence);
  assert.equal(first.assurance, "tpm-pinned");
  assert.ok(first.findings.some(({ code }) => code === "attestation.no-reference"));
  const file = `${plant.directory}/bench.json`;
  await plant.operator().json("reference", "learn", plant.device.name, "--name", "bench", "-o", file);
  await plant.operator().json("reference", "import", file, "--keys", plant.keys);
  const golden = await proven("the golden verdict", ({ verdict }) => verdict === "affirming");
  assert.equal(golden.claims?.hardware, "affirming");
  const before = (await entries()).length;
  for (const version of ["1.0.0", "1.1.0"]) {
    await plant.release(version);
    assert.equal((await plant.rollOut(version)).state, "completed");
    const shown = await proven(
      `evidence of ${version}`,
      ({ measurement }) => measurement?.release?.version === version,
    );
    assert.equal(shown.verdict, "affirming", shown.sentence);
  }
  const later = await entries();
  assert.deepEqual(
    later.slice(0, later.length - before).filter(({ tier }) => tier !== "affirming"),
    [],
  );
});

test("a power cut is information; firmware that nobody listed gets nothing new until it is", async () => {
  await plant.device.stop("power-cut");
  await swtpm.powerCut();
  await measureBoot(1);
  plant.startDevice();
  // A TPM forgets after seconds that its clock stood still: a late quote tells of a restart alone.
  const told = ["attestation.power-cut", "attestation.restarted"];
  const cut = await until("evidence after the power cut", 60_000, async () =>
    (await entries()).find(({ findings }) => findings.some(({ code }) => told.includes(code))),
  );
  assert.equal(cut.tier, "affirming", cut.sentence);

  await plant.device.stop("power-cut");
  await swtpm.powerCut();
  await measureBoot(2);
  plant.startDevice();
  const changed = await proven("other firmware", ({ verdict }) => verdict === "contraindicated");
  assert.equal(changed.withheld, true);
  assert.equal(changed.findings[0]?.cause, "firmware-update");
  const file = `${plant.directory}/bench-2.json`;
  await plant.operator().json("reference", "learn", plant.device.name, "--name", "bench", "-o", file);
  await plant.operator().json("reference", "import", file, "--keys", plant.keys);
  const learned = await proven("the new firmware in force", ({ verdict }) => verdict === "affirming");
  assert.equal(learned.withheld, false);
});
