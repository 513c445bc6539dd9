import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { Identity } from "@muster/agent/identity/identity";
import { DeviceHttp } from "@muster/agent/link/device-http";
import { checkRequest } from "@muster/control-plane/enrollment/csr";
import { type ErrorCode, isMusterError } from "@muster/shared/errors";
import { DEVICE_API, EnrollRequest } from "@muster/shared/protocol/device-api";
import { parseJson } from "@muster/shared/protocol/validate";
import { canonicalJson } from "@muster/shared/trust/canonical-json";
import { sha256 } from "@muster/shared/trust/digest";
import { formatJoinToken } from "@muster/shared/trust/join-token";
import { type Fleet, makeFleet } from "../link/fleet.ts";

const DAY_MS = 86_400_000;
const tufRoot = JSON.stringify({ signed: { _type: "root", version: 1 }, signatures: [] });
const pin = (value: string) => Buffer.from(sha256(value).slice(7), "hex").toString("base64url");
const rootPin = pin(canonicalJson(JSON.parse(tufRoot).signed));

let fleet: Fleet;
let stranger: Fleet;
before(async () => {
  [fleet, stranger] = await Promise.all([makeFleet(), makeFleet()]);
});
after(() => {
  fleet.remove();
  stranger.remove();
});

/** What the server does in a test: how it answers, and what it was asked. */
interface Plan {
  fleet: Fleet;
  /** Follows the CA certificate in the answer. */
  alsoCa: string;
  status: number;
  days: number;
  now: number;
  root: string;
  issuer: Fleet;
  requests: EnrollRequest[];
  renewals: number;
}

let plan: Plan;
let server: Server;
let url = "";
let directory = "";
beforeEach(async () => {
  plan = {
    fleet,
    alsoCa: "",
    issuer: fleet,
    status: 200,
    days: 30,
    now: Date.now(),
    root: tufRoot,
    requests: [],
    renewals: 0,
  };
  directory = join(mkdtempSync(join(tmpdir(), "muster-identity-")), "identity");
  server = createServer(
    { ...fleet.server.secureContext(), requestCert: true, rejectUnauthorized: false },
    async (request, response) => {
      const body = await text(request);
      const certify = (csr: string) => {
        const { device, publicKey } = checkRequest(csr);
        return {
          device,
          certificate: plan.issuer.authority.issueDevice(device, publicKey, plan.days, plan.now).pem,
        };
      };
      const ca = plan.fleet.authority.certificate;
      if (request.url === DEVICE_API.ca) response.end(ca + plan.alsoCa);
      else if (plan.status !== 200)
        response.writeHead(plan.status).end('{"code": "token.spent", "detail": "used up"}');
      else if (request.url === DEVICE_API.enroll) {
        const asked = parseJson(EnrollRequest, body, "request.invalid");
        plan.requests.push(asked);
        response.end(
          JSON.stringify({
            ...certify(asked.csr),
            ca,
            mqttUrl: "mqtts://127.0.0.1:8883",
            tufRoot: plan.root,
            assurance: "software",
          }),
        );
      } else {
        plan.renewals += 1;
        response.end(JSON.stringify({ certificate: certify(JSON.parse(body).csr).certificate, ca }));
      }
    },
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(join(directory, ".."), { recursive: true });
});

const token = (caPin = fleet.authority.pin, root: string | null = rootPin, id = "token-0001") =>
  formatJoinToken({ id, secret: "s".repeat(32), caPin, rootPin: root });
const order = (joinToken = token(), now = Date.now()) => ({
  server: url,
  token: joinToken,
  name: "press-7",
  labels: { line: "7" },
  hardware: {
    platform: "linux",
    arch: "x64",
    cpuModel: "t",
    cores: 1,
    memoryMiB: 1,
    opset: 26,
    providers: ["cpu"],
  },
  timeoutMs: 5000,
  now,
});
const pinned: string[] = [];
const pinRoot = (root: string) => {
  pinned.push(root);
};
const fails = (code: ErrorCode) => (error: unknown) =>
  isMusterError(error, code) || assert.fail(String(error));

describe("identity", () => {
  it("makes keys once, keeps them private and derives the device id from them", async () => {
    const one = await Identity.open(directory);
    const two = await Identity.open(directory);
    assert.deepEqual(two.keys, one.keys);
    assert.match(one.keys.device, /^d[a-z2-7]{20}$/);
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    for (const name of ["device.key", "signing.key", "sealing.key"])
      assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600);
    assert.throws(() => one.tls(), fails("enrollment.missing"));
    chmodSync(join(directory, "device.key"), 0o644);
    await Identity.open(directory);
    assert.equal(statSync(join(directory, "device.key")).mode & 0o777, 0o600);
  });

  it("enrolls once: repeating it asks nobody", async () => {
    const identity = await Identity.open(directory);
    pinned.length = 0;
    assert.equal(await identity.enroll(order(), pinRoot), true);
    assert.deepEqual(pinned, [tufRoot]);
    const [asked] = plan.requests;
    assert.equal(asked?.token, `token-0001.${"s".repeat(32)}`);
    assert.equal(asked?.signingKey, identity.keys.signing.publicKey);
    assert.equal(asked?.sealingKey, identity.keys.sealing.publicKey);
    assert.equal(asked?.tpm, undefined);
    assert.deepEqual([asked?.name, asked?.labels], ["press-7", { line: "7" }]);
    assert.equal(await identity.enroll(order(), pinRoot), false);
    const again = await Identity.open(directory);
    assert.equal(await again.enroll(order(), pinRoot), false);
    assert.equal(plan.requests.length, 1);
    assert.deepEqual(again.enrollment, identity.enrollment);
    assert.equal(again.enrollment?.mqttUrl, "mqtts://127.0.0.1:8883");
    assert.equal(again.tls().key, again.keys.tlsKey);
    const files = readdirSync(directory).map((name) => readFileSync(join(directory, name), "utf8"));
    assert.ok(
      !files.some((content) => content.includes("s".repeat(32))),
      "the secret of the token is kept nowhere",
    );
    await assert.rejects(
      again.enroll(order(token(undefined, undefined, "token-0002")), pinRoot),
      fails("request.conflict"),
    );
  });

  it("is not enrolled by anything that does not fit", async () => {
    const identity = await Identity.open(directory);
    const refused = async (code: ErrorCode, joinToken = token()) => {
      await assert.rejects(identity.enroll(order(joinToken), pinRoot), fails(code));
      assert.equal(identity.enrollment, undefined);
      assert.equal((await Identity.open(directory)).enrollment, undefined);
    };
    await refused("token.invalid", "muster1.nonsense");
    await refused("enrollment.pin-mismatch", token(stranger.authority.pin));
    plan.fleet = stranger;
    await refused("enrollment.pin-mismatch");
    // A server that shows the right CA and cannot prove that it belongs to it.
    await refused("certificate.server-untrusted", token(stranger.authority.pin));
    plan.fleet = fleet;
    plan.issuer = stranger;
    await refused("certificate.invalid");
    plan.issuer = fleet;
    plan.root = JSON.stringify({ signed: { _type: "root", version: 2 }, signatures: [] });
    await refused("enrollment.root-mismatch");
    plan.root = "no root";
    await refused("enrollment.root-mismatch");
    plan.root = tufRoot;
    plan.status = 401;
    await refused("token.spent");
    plan.status = 200;
    server.closeAllConnections();
    assert.equal(await identity.enroll(order(token(undefined, null)), pinRoot), true);
  });

  it("believes the CA that the token names and none that stands beside it", async () => {
    const identity = await Identity.open(directory);
    plan.alsoCa = stranger.authority.certificate;
    await identity.enroll(order(), pinRoot);
    assert.equal(identity.tls().ca.match(/-----BEGIN CERTIFICATE-----/g)?.length, 1);
    const http = new DeviceHttp({
      server: () => url,
      tls: () => ({ ...identity.tls(), ca: `${identity.tls().ca}` }),
      timeoutMs: 5000,
    });
    server.setSecureContext(stranger.server.secureContext());
    await assert.rejects(http.request({ path: DEVICE_API.desired }), fails("certificate.server-untrusted"));
    http.close();
  });

  it("keeps its keys over a cut in between, and is not enrolled until all is written", async () => {
    const identity = await Identity.open(directory);
    await identity.enroll(order(), pinRoot);
    rmSync(join(directory, "enrollment.json"));
    const halfway = await Identity.open(directory);
    assert.equal(halfway.enrollment, undefined);
    assert.equal(halfway.keys.device, identity.keys.device);
    assert.equal(await halfway.enroll(order(), pinRoot), true);
  });

  it("stops at the root before it counts as enrolled", async () => {
    const identity = await Identity.open(directory);
    await assert.rejects(identity.enroll(order(), () => Promise.reject(new Error("no room"))));
    assert.equal((await Identity.open(directory)).enrollment, undefined);
  });

  it("refuses files that are damaged or do not belong together", async () => {
    await (await Identity.open(directory)).enroll(order(), pinRoot);
    const whole = Object.fromEntries(
      readdirSync(directory).map((name) => [name, readFileSync(join(directory, name))]),
    );
    const cases: [string, string][] = [
      ["device.crt", ""],
      ["device.crt", stranger.tls.cert ?? ""],
      ["ca.crt", stranger.authority.certificate],
      ["enrollment.json", "{"],
      ["device.key", "no key"],
      ["signing.key", "00"],
      ["sealing.key", "00"],
    ];
    for (const [name, content] of cases) {
      writeFileSync(join(directory, name), content);
      await assert.rejects(Identity.open(directory), fails("settings.invalid"), name);
      writeFileSync(join(directory, name), whole[name] ?? "");
    }
    await Identity.open(directory);
  });

  it("renews at two thirds of the certificate's life, with the same key, and keeps the old one otherwise", async () => {
    const identity = await Identity.open(directory);
    await identity.enroll(order(), pinRoot);
    const first = identity.tls().cert;
    const http = new DeviceHttp({ server: () => url, tls: () => identity.tls(), timeoutMs: 5000 });
    const due = identity.renewAt();
    assert.ok(due > Date.now() + 19 * DAY_MS && due < Date.now() + 21 * DAY_MS);
    assert.equal(await identity.renewIfDue(http, due - 1), false);
    assert.equal(plan.renewals, 0);
    plan.status = 401;
    await assert.rejects(identity.renewIfDue(http, due), fails("token.spent"));
    plan.status = 200;
    plan.issuer = stranger;
    await assert.rejects(identity.renewIfDue(http, due), fails("certificate.invalid"));
    assert.equal(identity.tls().cert, first);
    plan.issuer = fleet;
    plan.now = due;
    assert.equal(await identity.renewIfDue(http, due), true);
    assert.notEqual(identity.tls().cert, first);
    assert.equal(await identity.renewIfDue(http, due), false);
    assert.equal((await Identity.open(directory)).tls().cert, identity.tls().cert);
    http.close();
  });

  it("lets a box that was off for too long enroll again, in its own fleet only", async () => {
    const identity = await Identity.open(directory);
    await identity.enroll(order(), pinRoot);
    pinned.length = 0;
    const late = Date.now() + 40 * DAY_MS;
    assert.equal(
      await identity.enroll(order(token(undefined, undefined, "token-0002"), late), pinRoot),
      true,
    );
    assert.equal(identity.enrollment?.token, "token-0002");
    assert.deepEqual(pinned, [], "the root that it trusts stays");
  });
});
