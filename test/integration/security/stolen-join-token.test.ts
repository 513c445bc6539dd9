import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { DEVICE_API } from "@muster/shared/protocol/device-api";
import { downFilter } from "@muster/shared/protocol/topics";
import { askDeviceApi, connectMqtt } from "../../support/fleet/client.ts";
import { startFleet, type TestFleet } from "../../support/fleet/fleet.ts";
import { enrollRequest, newDevice, type TestDevice } from "../../support/fleet/keys.ts";
import { until } from "../../support/fleet/until.ts";

/** Somebody read the command line with which a box was to join. */
describe("a stolen join token", () => {
  let fleet: TestFleet;
  let ahead = 0;
  before(async () => {
    fleet = await startFleet({ now: () => Date.now() + ahead });
  });
  after(() => fleet?.close());

  const tokenFor = (more: { uses?: number; labels?: Record<string, string> } = {}) =>
    fleet.tokens.create({ site: "eu/berlin", uses: 1, expiresAt: Date.now() + ahead + 60_000, ...more });
  const enroll = (device: TestDevice, token: { id: string; secret: string }, more = {}) =>
    askDeviceApi(fleet, DEVICE_API.enroll, { method: "POST", body: enrollRequest(device, token, more) });

  it("lets in as many as it says, and then nobody, whoever is first", async () => {
    const token = await tokenFor();
    const [thief, owner] = [await newDevice(), await newDevice()];
    assert.equal((await enroll(thief, token)).status, 200);
    const refused = await enroll(owner, token);
    assert.deepEqual([refused.status, refused.problem().code], [401, "token.spent"]);
    // The one who came second is what gives the thief away: it is on record, and the thief can be put out.
    await until(() => fleet.audit.list({ action: "device.refuse", limit: 9 }).length > 0);
    const [entry] = fleet.audit.list({ action: "device.refuse", limit: 9 });
    assert.equal(entry?.detail.code, "token.spent");
    assert.equal(
      fleet.audit.list({ subject: `device/${thief.id}`, limit: 9 })[0]?.detail.joinToken,
      token.id,
    );
  });

  it("is worth nothing once it has ended or was revoked, nor with a guessed secret", async () => {
    const [ended, revoked, known] = [await tokenFor(), await tokenFor(), await tokenFor()];
    await fleet.tokens.revoke(revoked.id);
    const device = await newDevice();
    const guessed = {
      id: known.id,
      secret: `${known.secret.slice(0, -1)}${known.secret.endsWith("A") ? "B" : "A"}`,
    };
    assert.equal((await enroll(device, revoked)).problem().code, "token.revoked");
    assert.equal((await enroll(device, guessed)).problem().code, "token.invalid");
    ahead += 120_000;
    assert.equal((await enroll(device, ended)).problem().code, "token.expired");
    assert.equal(
      (await askDeviceApi(fleet, DEVICE_API.desired)).status,
      401,
      "it opens nothing but the door",
    );
  });

  it("puts a box where the operator said: neither site nor labels are the thief's to choose", async () => {
    const token = await tokenFor({ labels: { ring: "late" } });
    const thief = await newDevice();
    const answer = await enroll(thief, token, { labels: { ring: "canary" }, name: "press-1" });
    assert.equal(answer.status, 200);
    fleet.directory.refresh();
    const seen = fleet.directory.get(thief.id);
    assert.deepEqual([seen?.site, seen?.labels], ["eu/berlin", { ring: "late" }]);
    const { certificate } = JSON.parse(answer.text) as { certificate: string };
    const client = await connectMqtt(fleet, { ...thief, certificate });
    const heard: string[] = [];
    client.on("message", (topic) => heard.push(topic));
    await client.subscribeAsync(downFilter(thief.id), { qos: 1 });
    await fleet.standing.revoke(thief.id, "came with a stolen token");
    await until(() => !client.connected);
    assert.deepEqual(heard, []);
  });

  it("that asks for a TPM lets in no key in software", async () => {
    const token = await fleet.tokens.create({
      site: "eu/berlin",
      uses: 1,
      expiresAt: Date.now() + ahead + 60_000,
      minAssurance: "tpm-pinned",
    });
    const refused = await enroll(await newDevice(), token);
    assert.ok(refused.status >= 400 && refused.status < 500);
    assert.match(refused.problem().code, /^enrollment\./);
  });
});
