import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { buildCsr } from "@muster/agent/identity/csr";
import { isMusterError } from "@muster/shared/errors";
import { DEVICE_API, type EnrollResponse, type RenewResponse } from "@muster/shared/protocol/device-api";
import { askDeviceApi } from "../../support/fleet/client.ts";
import { startFleet, type TestFleet } from "../../support/fleet/fleet.ts";
import { enrollRequest, newDevice, rsaKey, type TestDevice } from "../../support/fleet/keys.ts";

const code = (expected: string) => (error: unknown) => isMusterError(error) && error.code === expected;

describe("enrollment", () => {
  let fleet: TestFleet;
  let clock = Date.now();
  let device: TestDevice;
  const hour = 3_600_000;

  before(async () => {
    fleet = await startFleet({ now: () => clock });
    device = await newDevice();
  });
  after(() => fleet.close());

  const enroll = async (who: TestDevice, token: { id: string; secret: string }, more = {}) => {
    const answer = await fleet.enrollment.enroll(enrollRequest(who, token, more), "mqtts://localhost");
    assert.ok("certificate" in answer);
    return answer;
  };

  it("gives a certificate for the device's own key, signed by the fleet's CA", async () => {
    const token = await fleet.tokens.create({
      site: "eu/berlin-1",
      labels: { line: "a" },
      uses: 1,
      expiresAt: clock + hour,
    });
    const answer = await askDeviceApi(fleet, DEVICE_API.enroll, {
      method: "POST",
      body: enrollRequest(device, token, { name: "press-1", labels: { line: "own", rack: "3" } }),
    });
    assert.equal(answer.status, 200, answer.text);
    const enrolled = JSON.parse(answer.text) as EnrollResponse;
    assert.equal(enrolled.device, device.id);
    assert.equal(enrolled.mqttUrl, `mqtts://localhost:${fleet.mqttPort}`);
    const certificate = new X509Certificate(enrolled.certificate);
    assert.equal(certificate.subject, `CN=${device.id}`);
    assert.ok(certificate.verify(new X509Certificate(enrolled.ca).publicKey));
    assert.ok(certificate.checkIssued(new X509Certificate(enrolled.ca)));
    assert.deepEqual(certificate.keyUsage, ["1.3.6.1.5.5.7.3.2"]);

    const known = await fleet.fleet.get("press-1");
    assert.equal(known.id, device.id);
    assert.equal(known.site, "eu/berlin-1");
    assert.deepEqual(known.labels, { line: "a", rack: "3" });
    assert.equal(known.certificate.serial, certificate.serialNumber.toLowerCase());
    const [stored] = await fleet.tokens.list();
    assert.equal(stored?.state, "spent");
    assert.equal(
      JSON.stringify(await fleet.stores.control.selectFrom("join_tokens").selectAll().execute()).includes(
        token.secret,
      ),
      false,
    );
  });

  it("enrolls the same key again with a spent token of its own and spends nothing", async () => {
    const own = await newDevice();
    const token = await fleet.tokens.create({ site: "s", uses: 1, expiresAt: clock + hour });
    const first = await enroll(own, token);
    const again = await enroll(own, token);
    assert.equal(again.device, first.device);
    assert.notEqual(again.certificate, first.certificate);
    await assert.rejects(enroll(await newDevice(), token), code("token.spent"));
    const wide = await fleet.tokens.create({ site: "elsewhere", uses: 3, expiresAt: clock + hour });
    await enroll(own, wide);
    const kept = (await fleet.tokens.list()).find(({ id }) => id === wide.id);
    assert.equal(kept?.usesLeft, 3);
    assert.equal((await fleet.fleet.get(own.id)).site, "s");
  });

  it("lets in no more devices than the token has uses, also at the same time", async () => {
    const token = await fleet.tokens.create({ site: "race", uses: 2, expiresAt: clock + hour });
    const devices = await Promise.all([newDevice(), newDevice(), newDevice(), newDevice()]);
    const ends = await Promise.allSettled(devices.map((each) => enroll(each, token)));
    assert.equal(ends.filter(({ status }) => status === "fulfilled").length, 2);
    assert.equal(fleet.fleet.list({ site: "race" }).items.length, 2);
  });

  it("refuses tokens that are wrong, expired, spent or revoked, each by its code", async () => {
    const someone = await newDevice();
    const token = await fleet.tokens.create({ site: "s", uses: 1, expiresAt: clock + hour });
    const secret = token.secret;
    await assert.rejects(enroll(someone, { id: "unknown-id", secret }), code("token.invalid"));
    await assert.rejects(enroll(someone, { id: token.id, secret: "x".repeat(43) }), code("token.invalid"));
    await assert.rejects(enroll(someone, { id: token.id, secret: `${secret}.more` }), code("token.invalid"));
    clock += hour;
    await assert.rejects(enroll(someone, token), code("token.expired"));
    const revoked = await fleet.tokens.create({ site: "s", uses: 1, expiresAt: clock + hour });
    assert.equal((await fleet.tokens.revoke(revoked.id)).state, "revoked");
    await assert.rejects(enroll(someone, revoked), code("token.revoked"));
    await assert.rejects(fleet.tokens.revoke("nothing"), code("request.not-found"));
    assert.equal(fleet.fleet.list({ text: someone.id }).items.length, 0);
  });

  it("refuses token orders that make no sense", async () => {
    const expiresAt = clock + hour;
    await assert.rejects(fleet.tokens.create({ site: "A B", uses: 1, expiresAt }), code("request.invalid"));
    await assert.rejects(fleet.tokens.create({ site: "s", uses: 0, expiresAt }), code("request.invalid"));
    await assert.rejects(
      fleet.tokens.create({ site: "s", uses: 1, expiresAt: clock }),
      code("request.invalid"),
    );
  });

  it("refuses certificate requests that do not prove a good key", async () => {
    const token = await fleet.tokens.create({ site: "s", uses: 9, expiresAt: clock + hour });
    const someone = await newDevice();
    const weak = rsaKey(1024);
    const [, body = "", tail = ""] = /^([\s\S]*)(-----END[\s\S]*)$/.exec(someone.csr) ?? [];
    const requests = {
      weak: await buildCsr(someone.id, weak),
      "another type": someone.csr.replaceAll("CERTIFICATE REQUEST", "CERTIFICATE"),
      truncated: `${body.slice(0, 300)}\n${tail}`,
      "no base64": "-----BEGIN CERTIFICATE REQUEST-----\n????\n-----END CERTIFICATE REQUEST-----\n",
      "broken signature": flipLastByte(someone.csr),
    };
    for (const [name, csr] of Object.entries(requests))
      await assert.rejects(enroll({ ...someone, csr }, token), code("enrollment.csr-invalid"), name);
    assert.equal((await fleet.tokens.list()).find(({ id }) => id === token.id)?.usesLeft, 9);
  });

  it("takes the identity from the key, whatever subject the request names", async () => {
    const token = await fleet.tokens.create({ site: "s", uses: 1, expiresAt: clock + hour });
    const liar = await newDevice();
    const { device: id, certificate } = await enroll(
      { ...liar, csr: await buildCsr(device.id, liar.key) },
      token,
    );
    assert.equal(id, liar.id);
    assert.equal(new X509Certificate(certificate).subject, `CN=${liar.id}`);
  });

  it("keeps names apart within a site and gives the use back", async () => {
    const token = await fleet.tokens.create({ site: "names", uses: 2, expiresAt: clock + hour });
    await enroll(await newDevice(), token, { name: "press" });
    await assert.rejects(enroll(await newDevice(), token, { name: "press" }), code("enrollment.name-taken"));
    await enroll(await newDevice(), token, { name: "press-2" });
  });

  it("renews a certificate for the same key only", async () => {
    const own = await fleet.enroll();
    const ask = (csr: string) =>
      askDeviceApi(fleet, DEVICE_API.renew, { method: "POST", device: own, body: { csr } });
    const answer = await ask(own.csr);
    assert.equal(answer.status, 200, answer.text);
    const renewed = new X509Certificate((JSON.parse(answer.text) as RenewResponse).certificate);
    assert.notEqual(renewed.serialNumber, new X509Certificate(own.certificate).serialNumber);
    const other = await newDevice();
    assert.equal((await ask(other.csr)).problem().code, "enrollment.csr-invalid");
  });

  it("spends nothing when the disk is full, and goes on when there is room", async () => {
    const token = await fleet.tokens.create({ site: "full", uses: 40, expiresAt: clock + hour });
    const { controlRaw } = fleet.stores;
    controlRaw.pragma(`max_page_count = ${controlRaw.pragma("page_count", { simple: true })}`);
    const labels = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`label-${n}`, "x".repeat(60)]));
    const own = await newDevice();
    const fill = async () => {
      for (;;) await fleet.tokens.create({ site: "full", labels, uses: 1, expiresAt: clock + hour });
    };
    await assert.rejects(fill(), code("storage.full"));
    await assert.rejects(enroll(own, token, { labels }), code("storage.full"));
    controlRaw.pragma("max_page_count = 1000000");
    await enroll(own, token, { labels });
    assert.equal((await fleet.tokens.list()).find(({ id }) => id === token.id)?.usesLeft, 39);
  });

  it("keeps a revoked device out for good", async () => {
    const own = await fleet.enroll("gone");
    await fleet.standing.revoke(own.id, "stolen");
    await fleet.standing.revoke(own.id, "again");
    const known = await fleet.fleet.get("gone");
    assert.equal(known.status, "revoked");
    assert.equal(known.revoked?.reason, "stolen");
    const answer = await askDeviceApi(fleet, DEVICE_API.desired, { device: own });
    assert.equal(answer.status, 403);
    assert.equal(answer.problem().code, "certificate.revoked");
    const token = await fleet.tokens.create({ site: "s", uses: 1, expiresAt: clock + hour });
    await assert.rejects(enroll(own, token), code("enrollment.device-revoked"));
    await assert.rejects(fleet.standing.revoke("dzzzz", "?"), code("request.not-found"));
  });
});

function flipLastByte(pem: string): string {
  const body = pem.replaceAll(/-----[^-]+-----|\s/g, "");
  const der = Buffer.from(body, "base64");
  der[der.length - 1] = (der.at(-1) ?? 0) ^ 1;
  return `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
}
