import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { signEvidence } from "@muster/shared/protocol/evidence";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import { AttestingSession } from "../../support/attestation/attester.ts";
import { idleMeasurement, Prover } from "../../support/attestation/prover.ts";
import { startFleet, type TestFleet } from "../../support/fleet/fleet.ts";
import { until } from "../../support/fleet/until.ts";

let fleet: TestFleet;

before(async () => {
  fleet = await startFleet({ attestation: {} });
});
after(async () => {
  await fleet.close();
});

async function enrolled(name: string) {
  const key = signingKeyFrom(randomBytes(32));
  const device = await fleet.enroll(name, "eu/berlin-1", key.publicKey);
  return { device, prover: new Prover(device.id, undefined, key) };
}

const show = (device: string) => fleet.attestation.reports.show(device);
const sources = (device: string) =>
  fleet.attestation.reports.history(device, 50, Number.MAX_SAFE_INTEGER).map(({ source }) => source);
const eventCodes = async (device: string): Promise<string[]> =>
  (
    await fleet.stores.control
      .selectFrom("device_events")
      .select("code")
      .where("device", "=", device)
      .execute()
  ).map(({ code }) => code);

test("a software device is challenged after its birth, appraised, stored and shown", async () => {
  const { device, prover } = await enrolled("plain");
  assert.equal(show(device.id).verdict, "none");
  const session = await AttestingSession.open(fleet, device, prover);
  await until(() => show(device.id).verdict === "affirming");
  const shown = show(device.id);
  assert.equal(shown.claims?.["instance-identity"], "affirming");
  assert.equal(shown.claims?.executables, "affirming");
  assert.equal(shown.claims?.hardware, "none");
  assert.equal(shown.withheld, false);
  assert.match(shown.sentence, /^It passes: proven by a key in software, it runs no release/);
  assert.deepEqual(shown.chain, { head: 0, missing: [], forked: false });
  assert.deepEqual(sources(device.id), ["challenge"]);

  fleet.attestation.refresh(device.id);
  await until(() => show(device.id).chain.head === 1);
  assert.deepEqual(session.challenges[1]?.have, { bootLog: null, ima: 0, chain: 0 });
  assert.notEqual(session.challenges[0]?.nonce, session.challenges[1]?.nonce);
  await session.close();
});

test("evidence with a used, an unknown or another session's nonce counts for nothing and is shown", async () => {
  const { device, prover } = await enrolled("replay");
  const session = await AttestingSession.open(fleet, device, prover, { answers: false });
  const evidence = await prover.link(await session.challenge());
  await session.send(evidence);
  await until(() => show(device.id).verdict === "affirming");
  const freshAt = show(device.id).freshAt;

  await session.send(evidence);
  await until(async () => (await eventCodes(device.id)).includes("attestation.nonce-used"));

  const made = await prover.link({ ...session.challenges[0]!, nonce: randomBytes(32).toString("hex") });
  await session.send(made);
  await until(async () => (await eventCodes(device.id)).includes("attestation.nonce-unknown"));

  const asked = session.challenge();
  fleet.attestation.refresh(device.id);
  await session.send(await prover.link({ ...(await asked), session: "session-9999" }));
  await until(async () => (await eventCodes(device.id)).includes("attestation.nonce-foreign"));
  assert.equal(show(device.id).freshAt, freshAt);
  assert.ok(sources(device.id).includes("refused"));
  await session.close();
});

test("evidence by another key, or that names another device, is refused", async () => {
  const { device, prover } = await enrolled("forged");
  const session = await AttestingSession.open(fleet, device, prover, { answers: false });
  const challenge = await session.challenge();
  const { payload } = await prover.copy().link(challenge);
  await session.send(signEvidence(payload, signingKeyFrom(randomBytes(32))));
  await until(async () => (await eventCodes(device.id)).includes("attestation.signature-invalid"));
  const other = await enrolled("other");
  await session.send(await new Prover(other.device.id, undefined, prover.key).link(null));
  await until(async () => (await eventCodes(device.id)).includes("attestation.evidence-foreign"));
  assert.equal(show(device.id).verdict, "none");
  await session.close();
});

test("two holders of one key fork the chain: withheld until an operator clears it", async () => {
  const { device, prover } = await enrolled("cloned");
  const session = await AttestingSession.open(fleet, device, prover);
  await until(() => show(device.id).chain.head === 0);
  const clone = prover.copy();
  await session.backlog([await prover.link(), await prover.link()]);
  await until(() => show(device.id).chain.head === 2);
  clone.measurement = idleMeasurement({ boot: "boot-of-the-clone" });
  await session.backlog([await clone.link()], 100);
  await until(() => show(device.id).verdict === "contraindicated");
  const shown = show(device.id);
  assert.equal(shown.withheld, true);
  assert.equal(shown.chain.forked, true);
  assert.match(
    shown.sentence,
    /two different links 1.*Either two boxes use its key, or an older state of its disk/s,
  );

  fleet.attestation.refresh(device.id);
  await until(() => show(device.id).freshAt !== null && show(device.id).chain.head === 3);
  assert.equal(show(device.id).verdict, "contraindicated", "good evidence does not end it");

  await fleet.attestation.clear(device.id, "disk restored by us", "ada");
  await until(() => show(device.id).verdict === "affirming");
  assert.equal(show(device.id).withheld, false);
  await session.close();
});

test("what was made offline comes with the outbox, in any order with the answers; gaps are shown and close", async () => {
  const { device, prover } = await enrolled("offline");
  const first = await AttestingSession.open(fleet, device, prover);
  await until(() => show(device.id).chain.head === 0);
  await first.close();
  const backlog = [await prover.link(), await prover.link(), await prover.link()];
  const second = await AttestingSession.open(fleet, device, prover, { session: "session-0002" });
  await until(() => show(device.id).chain.head === 4);
  const gap = show(device.id);
  assert.deepEqual(gap.chain.missing, [{ from: 1, to: 3 }]);
  assert.equal(gap.verdict, "affirming", "a gap is information while the backlog may still come");
  assert.ok(gap.findings.some(({ code }) => code === "attestation.chain-gap"));
  await second.backlog(backlog.toSpliced(1, 1));
  await until(
    () => show(device.id).chain.missing.length === 1 && show(device.id).chain.missing[0]?.from === 2,
  );
  await second.backlog([backlog[1]!], 50);
  await until(() => show(device.id).chain.missing.length === 0);
  await second.backlog([backlog[1]!], 60);
  fleet.attestation.refresh(device.id);
  await until(() => show(device.id).chain.head === 5);
  assert.equal(show(device.id).verdict, "affirming");
  assert.deepEqual(fleet.errors, []);
  await second.close();
});

test("a component that no release predicts does not pass, and policy decides what follows", async () => {
  const { device, prover } = await enrolled("tampered");
  prover.measurement = idleMeasurement({
    components: [
      {
        type: "model",
        name: "detector",
        version: "1.0.0",
        digest: `sha256:${"6".repeat(64)}`,
        variant: "int8",
      },
    ],
  });
  const session = await AttestingSession.open(fleet, device, prover);
  await until(() => show(device.id).verdict === "contraindicated");
  assert.equal(show(device.id).withheld, true);
  assert.match(show(device.id).sentence, /is in no release that was signed for this fleet/);
  await fleet.attestation.policies.set({ site: "eu/berlin-1" }, { mode: "report" }, "ada");
  await fleet.attestation.reappraise();
  assert.equal(show(device.id).withheld, false);
  assert.equal(show(device.id).verdict, "contraindicated");
  await fleet.attestation.policies.remove({ site: "eu/berlin-1" });
  await fleet.attestation.reappraise();
  assert.equal(show(device.id).withheld, true);
  prover.measurement = idleMeasurement();
  await session.backlog([await prover.link()]);
  await until(() => show(device.id).chain.head === 1);
  await fleet.attestation.reappraise();
  assert.equal(show(device.id).withheld, true, "what nobody asked for lifts nothing");
  fleet.attestation.refresh(device.id);
  await until(() => show(device.id).verdict === "affirming");
  assert.equal(show(device.id).withheld, false);
  await session.close();
});
