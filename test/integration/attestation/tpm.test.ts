import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { openTpm, type Tpm } from "@muster/agent/tpm/tpm";
import { signReferenceSet } from "@muster/control-plane/attestation/references/signing";
import { buildRoot } from "@muster/control-plane/trust/offline-signing";
import { isMusterError } from "@muster/shared/errors";
import type { Challenge, TpmEvidence } from "@muster/shared/protocol/evidence";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import { AttestingSession } from "../../support/attestation/attester.ts";
import { Prover } from "../../support/attestation/prover.ts";
import { startFleet, type TestFleet } from "../../support/fleet/fleet.ts";
import { until } from "../../support/fleet/until.ts";
import { Swtpm } from "../../support/swtpm/swtpm.ts";

const key = () => signingKeyFrom(randomBytes(32));
const keys = { root: key(), targets: key() };
const online = { snapshot: key(), timestamp: key(), directive: key() };
const root = buildRoot(keys, online, 1, Date.now());

let fleet: TestFleet;
let swtpm: Swtpm;
let tpm: Tpm;

/** What firmware does at each start; another version measures something else into PCR 0. */
async function measureBoot(version = 1): Promise<void> {
  for (let pcr = 0; pcr < 8; pcr += 1)
    await tpm.extend(pcr, Buffer.alloc(32, pcr === 0 ? 16 * version : pcr + 1));
}

async function open(): Promise<void> {
  const opened = await openTpm(swtpm.setting);
  assert.ok(opened);
  tpm = opened;
}

before(async () => {
  fleet = await startFleet({ attestation: { rootText: async () => root } });
  swtpm = await Swtpm.make();
  await open();
  await measureBoot();
});
after(async () => {
  await tpm.close();
  await swtpm.stop();
  await fleet.close();
});

async function quoting(qualifyingData: Uint8Array, challenge: Challenge | null): Promise<TpmEvidence> {
  const { bank, indices } = challenge?.pcrs ?? { bank: "sha256" as const, indices: [0, 1, 2, 3, 4, 5, 6, 7] };
  const { name } = await tpm.attestationKey();
  const { quote, signature, pcrs } = await tpm.quote(bank, indices, qualifyingData);
  return {
    akName: name.toString("hex"),
    quote: quote.toString("base64"),
    signature: signature.toString("base64"),
    pcrs: { [bank]: Object.fromEntries([...pcrs].map(([pcr, value]) => [pcr, value.toString("hex")])) },
    own: null,
    bootLog: null,
    ima: null,
  };
}

const show = (device: string) => fleet.attestation.reports.show(device);

async function asked(device: string): Promise<ReturnType<typeof show>> {
  const before = show(device).chain.head;
  fleet.attestation.refresh(device);
  await until(() => show(device).chain.head !== before);
  return show(device);
}

/** As enrollment binds a device to the attestation key of a TPM. */
async function pin(device: string, to: Tpm): Promise<void> {
  const ak = await to.attestationKey();
  await fleet.stores.control
    .updateTable("devices")
    .set({
      assurance: "tpm-pinned",
      ak_name: ak.name.toString("hex"),
      ak_public: ak.public.toString("base64"),
    })
    .where("id", "=", device)
    .execute();
}

test("a box with a real TPM: learned, updated, cut from power, tampered with", async () => {
  const signing = key();
  const device = await fleet.enroll("tpm-1", "eu/berlin-1", signing.publicKey);
  await pin(device.id, tpm);
  const prover = new Prover(device.id, quoting, signing);
  const session = await AttestingSession.open(fleet, device, prover);
  await until(() => show(device.id).verdict === "warning");
  assert.deepEqual(
    show(device.id)
      .findings.map(({ code }) => code)
      .filter((code) => !code.endsWith("agent-unlisted")),
    ["attestation.no-reference"],
  );

  const candidate = fleet.attestation.reports.learn(device.id, "bench");
  assert.equal(candidate.firmware?.length, 1);
  const stranger = signReferenceSet(candidate, key());
  await assert.rejects(fleet.attestation.importReference(JSON.stringify(stranger), "ada"), (error) =>
    isMusterError(error, "attestation.reference-unsigned"),
  );
  const document = JSON.stringify(signReferenceSet(candidate, keys.targets));
  const imported = await fleet.attestation.importReference(document, "ada");
  assert.deepEqual(imported.counts, { firmware: 1, agents: 1, imaRules: 0 });
  assert.equal(show(device.id).verdict, "affirming", "applied to what it had proven");
  assert.equal(show(device.id).claims?.hardware, "affirming");
  await assert.rejects(
    fleet.attestation.importReference(
      JSON.stringify(signReferenceSet({ ...candidate, description: "another" }, keys.targets)),
      "ada",
    ),
    (error) => isMusterError(error, "attestation.reference-old"),
  );

  await tpm.close();
  await swtpm.powerCut();
  await open();
  await measureBoot();
  const cut = await asked(device.id);
  assert.equal(cut.verdict, "affirming", cut.sentence);
  // A TPM forgets after seconds that its clock stood still: a late quote tells of a restart alone.
  const told = ["attestation.power-cut", "attestation.restarted"];
  assert.ok(cut.findings.some(({ code }) => told.includes(code)));

  await tpm.close();
  await swtpm.restart();
  await open();
  await measureBoot(2);
  const updated = await asked(device.id);
  assert.equal(updated.verdict, "contraindicated");
  assert.equal(updated.withheld, true);
  assert.equal(updated.findings[0]?.cause, "firmware-update");
  assert.match(
    updated.sentence,
    /PCR 0 \(firmware code\) is not as in .*most likely its firmware was updated/,
  );

  const second = fleet.attestation.reports.learn(device.id, "bench");
  assert.equal(second.sequence, 2);
  const both = { ...second, firmware: [...candidate.firmware!, { ...second.firmware![0]!, name: "Bios 2" }] };
  await fleet.attestation.importReference(JSON.stringify(signReferenceSet(both, keys.targets)), "ada");
  assert.equal(show(device.id).withheld, false);
  assert.equal((await asked(device.id)).verdict, "affirming");

  await tpm.extend(4, Buffer.alloc(32, 99));
  const tampered = await asked(device.id);
  assert.equal(tampered.verdict, "contraindicated");
  assert.equal(tampered.findings[0]?.cause, "attack");
  assert.deepEqual(fleet.errors, []);
  await session.close();
});

test("the disk of a box with a TPM in another box does not pass", async () => {
  const signing = key();
  const device = await fleet.enroll("tpm-2", "eu/berlin-1", signing.publicKey);
  const other = await Swtpm.make();
  const elsewhere = await openTpm(other.setting);
  assert.ok(elsewhere);
  try {
    await pin(device.id, elsewhere);
    const session = await AttestingSession.open(fleet, device, new Prover(device.id, quoting, signing));
    await until(() => show(device.id).verdict === "contraindicated");
    assert.equal(show(device.id).findings[0]?.code, "attestation.tpm-foreign");
    await session.close();
  } finally {
    await elsewhere.close();
    await other.stop();
  }
});
