import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Authority } from "@muster/control-plane/enrollment/authority";
import { DEVICE_API } from "@muster/shared/protocol/device-api";
import { askDeviceApi, type Credentials } from "../../support/fleet/client.ts";
import { expiredCertificate, startFleet, type TestFleet } from "../../support/fleet/fleet.ts";
import { enrollRequest, newDevice, type TestDevice } from "../../support/fleet/keys.ts";

describe("device listener", () => {
  let fleet: TestFleet;
  let device: TestDevice & Credentials;
  let ahead = 0;

  before(async () => {
    fleet = await startFleet({ enrollmentsPerMinute: 5, now: () => Date.now() + ahead });
    device = await fleet.enroll("press");
  });
  after(() => fleet.close());

  it("gives the CA to anybody, and nothing else without a certificate", async () => {
    const ca = await askDeviceApi(fleet, DEVICE_API.ca);
    assert.equal(ca.text, fleet.authority.certificate);
    for (const path of [
      DEVICE_API.desired,
      `${DEVICE_API.tuf}timestamp.json`,
      `${DEVICE_API.artifacts}${"a".repeat(64)}`,
    ]) {
      const answer = await askDeviceApi(fleet, path);
      assert.equal(answer.status, 401, path);
      assert.equal(answer.headers["content-type"], "application/problem+json; charset=utf-8");
      assert.equal(answer.problem().code, "certificate.invalid");
    }
  });

  it("tells expired, foreign and unknown certificates apart", async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), "muster-ca-"));
    const foreign = await Authority.open(elsewhere, Date.now());
    const stranger = await newDevice();
    const unknown = fleet.authority.issueDevice(stranger.id, createPublicKey(stranger.key), 30, Date.now());
    const cases: [Credentials, string][] = [
      [{ ...device, certificate: expiredCertificate(fleet, device) }, "certificate.expired"],
      [
        {
          ...device,
          certificate: foreign.issueDevice(device.id, createPublicKey(device.key), 30, Date.now()).pem,
        },
        "certificate.invalid",
      ],
      [{ ...stranger, certificate: unknown.pem }, "certificate.invalid"],
    ];
    for (const [credentials, code] of cases) {
      const answer = await askDeviceApi(fleet, DEVICE_API.desired, { device: credentials });
      assert.equal(answer.problem().code, code);
      assert.equal(answer.status, 401);
    }
    await rm(elsewhere, { recursive: true });
  });

  it("does not take the server's certificate for a device's", async () => {
    const server = fleet.authority.issueServer(["localhost"], createPublicKey(device.key), 1, Date.now());
    const answer = await askDeviceApi(fleet, DEVICE_API.desired, {
      device: { key: device.key, certificate: server.pem },
    });
    assert.equal(answer.problem().code, "certificate.invalid");
  });

  it("refuses a kept connection once its certificate has expired or its device is revoked", async () => {
    const gone = await fleet.enroll("gone");
    const agent = new Agent({
      keepAlive: true,
      maxSockets: 1,
      key: gone.key,
      cert: gone.certificate,
      ca: fleet.authority.certificate,
    });
    const ask = () =>
      new Promise<number>((resolve, reject) => {
        const call = request(
          { host: "localhost", port: fleet.httpsPort, path: DEVICE_API.desired, agent },
          (response) => response.resume().on("end", () => resolve(response.statusCode ?? 0)),
        );
        call.on("error", reject).end();
      });
    assert.equal(await ask(), 204);
    ahead = 31 * 86_400_000;
    assert.equal(await ask(), 401);
    ahead = 0;
    assert.equal(await ask(), 204);
    await fleet.standing.revoke(gone.id, "stolen");
    // The kept connection is cut; whether the agent has noticed that yet is a matter of luck.
    await ask().catch(() => undefined);
    assert.equal(await ask(), 403);
    agent.destroy();
  });

  it("tells the directive with its generation as ETag", async () => {
    const desired = (headers = {}) => askDeviceApi(fleet, DEVICE_API.desired, { device, headers });
    assert.equal((await desired()).status, 204);
    const set = (generation: number, directive: string) =>
      fleet.stores.control
        .updateTable("devices")
        .set({ generation, directive })
        .where("id", "=", device.id)
        .execute();
    await set(3, '{"a":1}');
    const first = await desired();
    assert.equal(first.status, 200);
    assert.equal(first.headers.etag, '"3"');
    assert.equal(first.text, '{"a":1}');
    assert.equal((await desired({ "if-none-match": '"3"' })).status, 304);
    await set(4, '{"a":2}');
    assert.equal((await desired({ "if-none-match": '"3"' })).text, '{"a":2}');
  });

  it("answers problems for bodies that are wrong, too large or for no address", async () => {
    const post = (body: unknown, headers = {}) =>
      askDeviceApi(fleet, DEVICE_API.renew, { device, method: "POST", body, headers });
    assert.equal((await post("{")).problem().code, "request.invalid");
    assert.equal((await post({})).problem().code, "request.invalid");
    assert.equal((await post({ csr: device.csr, more: 1 })).problem().code, "request.invalid");
    assert.equal((await post("x", { "content-type": "text/plain" })).status, 400);
    const large = await post({ csr: "x".repeat(70_000) });
    assert.equal(large.status, 413);
    assert.equal(large.problem().code, "request.too-large");
    for (const path of ["/", "/device/v2/ca", `${DEVICE_API.tuf}../../ca`, "/api/v1/devices"]) {
      const answer = await askDeviceApi(fleet, path, { device });
      assert.equal(answer.status, 404, path);
      assert.equal(answer.problem().code, "request.not-found");
    }
  });

  it("limits enrollments from one address", async () => {
    const token = await fleet.tokens.create({ site: "s", uses: 1, expiresAt: Date.now() + 60_000 });
    const body = enrollRequest(await newDevice(), { id: token.id, secret: "wrong" });
    const codes: string[] = [];
    for (let attempt = 0; attempt < 6; attempt += 1)
      codes.push((await askDeviceApi(fleet, DEVICE_API.enroll, { method: "POST", body })).problem().code);
    assert.deepEqual(codes, [...Array(5).fill("token.invalid"), "request.rate-limited"]);
    const limited = await askDeviceApi(fleet, DEVICE_API.enroll, { method: "POST", body });
    assert.equal(limited.status, 429);
    assert.ok(Number(limited.headers["retry-after"]) > 0);
  });
});
