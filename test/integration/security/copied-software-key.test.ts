import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import { AttestingSession } from "../../support/attestation/attester.ts";
import { idleMeasurement, Prover } from "../../support/attestation/prover.ts";
import { next } from "../../support/fleet/client.ts";
import { startFleet, type TestFleet } from "../../support/fleet/fleet.ts";
import { enrollRequest } from "../../support/fleet/keys.ts";
import { until } from "../../support/fleet/until.ts";

let fleet: TestFleet;
before(async () => {
  fleet = await startFleet({ attestation: {} });
});
after(() => fleet.close());

const show = (device: string) => fleet.attestation.reports.show(device);

async function twins(name: string) {
  const key = signingKeyFrom(randomBytes(32));
  const device = await fleet.enroll(name, "eu/berlin-1", key.publicKey);
  const owner = new Prover(device.id, undefined, key);
  const session = await AttestingSession.open(fleet, device, owner);
  await until(() => show(device.id).verdict === "affirming");
  const thief = owner.copy();
  thief.measurement = idleMeasurement({ boot: "boot-of-the-thief" });
  return { device, owner, thief, session };
}

test("two boxes with one key show as soon as both have spoken, and the record of both is withheld", async () => {
  const { device, thief, owner, session } = await twins("press");
  // Both prove themselves over the real broker, in turns: each takes the session of the other.
  const closed = next(session.client, "close");
  const second = await AttestingSession.open(fleet, device, thief, { session: "session-thief" });
  await closed;
  await until(() => show(device.id).chain.head === 1);
  assert.equal(show(device.id).verdict, "affirming", "one of them alone looks like the device");
  await second.close();
  const third = await AttestingSession.open(fleet, device, owner, { session: "session-owner" });
  await until(() => show(device.id).chain.forked);
  const { verdict, withheld, sentence } = show(device.id);
  assert.deepEqual([verdict, withheld], ["contraindicated", true]);
  assert.match(sentence, /two boxes use its key, or an older state of its disk/);

  const entries = fleet.audit.list({ subject: `device/${device.id}`, limit: 50 });
  assert.ok(entries.some(({ action }) => action === "device.withhold"));
  assert.ok(
    entries.some(
      ({ action, detail }) => action === "attestation.verdict" && detail.tier === "contraindicated",
    ),
  );

  await fleet.attestation.clear(device.id, "the copy was found and destroyed", "ada");
  await until(() => !show(device.id).withheld);
  await third.close();
});

test("a copy that stays silent until the owner is offline is found when the backlog comes", async () => {
  const { device, thief, owner, session } = await twins("saw");
  await session.close();
  const backlog = [await owner.link(), await owner.link()];
  const copy = await AttestingSession.open(fleet, device, thief, { session: "session-thief" });
  await until(() => show(device.id).chain.head === 1);
  assert.equal(show(device.id).withheld, false);
  await copy.close();
  const home = await AttestingSession.open(fleet, device, owner, { session: "session-home", answers: false });
  await home.backlog(backlog);
  await until(() => show(device.id).withheld);
  await home.close();
});

test("the key makes no second device: whoever enrolls with it is the first one", async () => {
  const device = await fleet.enroll("drill");
  const token = await fleet.tokens.create({ site: "eu/paris", uses: 1, expiresAt: Date.now() + 60_000 });
  fleet.directory.refresh();
  const before = [...fleet.directory.all()].length;
  await fleet.enrollment.enroll(enrollRequest(device, token, { name: "drill-2" }), "mqtts://localhost");
  fleet.directory.refresh();
  assert.equal([...fleet.directory.all()].length, before);
  assert.equal(fleet.directory.get(device.id)?.site, "eu/berlin-1");
});
