import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { TLSSocket } from "node:tls";
import { DeviceHttp, type TlsMaterial } from "@muster/agent/link/device-http";
import { DocumentPoll } from "@muster/agent/link/document-poll";
import { postJson, readBody } from "@muster/agent/link/response";
import { type ErrorCode, isMusterError, MusterError } from "@muster/shared/errors";
import { deviceTls, type Fleet, makeFleet } from "./fleet.ts";

let fleet: Fleet;
before(async () => {
  fleet = await makeFleet();
});
after(() => fleet.remove());

let server: Server;
let url = "";
let handler: (request: IncomingMessage, response: ServerResponse) => void;
const sockets = new Set<Socket>();
beforeEach(async () => {
  server = createServer(
    { ...fleet.server.secureContext(), requestCert: true, rejectUnauthorized: true },
    (request, response) => handler(request, response),
  );
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
const open: DeviceHttp[] = [];
afterEach(async () => {
  for (const http of open.splice(0)) http.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

function client(tls: () => TlsMaterial = () => fleet.tls, timeoutMs = 5000, at = url): DeviceHttp {
  const http = new DeviceHttp({ server: () => at, tls, timeoutMs });
  open.push(http);
  return http;
}
const fails =
  (...codes: ErrorCode[]) =>
  (error: unknown) =>
    isMusterError(error) && codes.includes(error.code) ? true : assert.fail(String(error));

describe("requests of the device", () => {
  it("show the certificate of the moment and keep the connection", async () => {
    const seen: [string, string][] = [];
    handler = (request, response) => {
      const certificate = (request.socket as TLSSocket).getPeerCertificate();
      seen.push([String(certificate.subject.CN), certificate.serialNumber]);
      response.end(request.url);
    };
    let tls = fleet.tls;
    const http = client(() => tls);
    for (let i = 0; i < 3; i += 1)
      assert.equal((await readBody((await http.request({ path: "/a?b=1" })).body, 100)).toString(), "/a?b=1");
    assert.equal(sockets.size, 1);
    tls = deviceTls(fleet.authority, fleet.keys);
    await readBody((await http.request({ path: "/" })).body, 100);
    assert.equal(new Set(seen.map(([name]) => name)).size, 1);
    assert.equal(seen[0]?.[0], fleet.keys.device);
    assert.equal(new Set(seen.map(([, serial]) => serial)).size, 2);
  });

  it("answer any status and stream the body", async () => {
    handler = (_request, response) => response.writeHead(418, { etag: '"7"' }).end("teapot");
    const response = await client().request({ path: "/" });
    assert.equal(response.status, 418);
    assert.equal(response.headers.etag, '"7"');
    await assert.rejects(readBody(response.body, 3), fails("request.too-large"));
  });

  it("tell an unreachable server, a silent one and one that breaks off", async () => {
    await assert.rejects(
      client(undefined, 5000, "https://127.0.0.1:1").request({ path: "/" }),
      fails("request.unreachable"),
    );
    handler = () => undefined;
    await assert.rejects(client(undefined, 100).request({ path: "/" }), fails("request.timeout"));
    handler = (_request, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("half");
      setTimeout(() => response.destroy(), 20);
    };
    const { body } = await client().request({ path: "/" });
    await assert.rejects(readBody(body, 1000), fails("request.unreachable"));
    handler = (_request, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("half");
    };
    const stalled = await client(undefined, 100).request({ path: "/" });
    await assert.rejects(readBody(stalled.body, 1000), fails("request.timeout"));
  });

  it("check the server also where the environment says not to", async (context) => {
    handler = (_request, response) => response.end();
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
    context.after(() => {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    });
    const stranger = await makeFleet();
    context.after(() => stranger.remove());
    const fooled = client(() => ({ ...fleet.tls, ca: stranger.authority.certificate }));
    await assert.rejects(fooled.request({ path: "/" }), fails("certificate.server-untrusted"));
  });

  it("need an enrollment", async () => {
    const missing = () => {
      throw new MusterError("enrollment.missing");
    };
    await assert.rejects(client(missing, 5000, "").request({ path: "/" }), fails("enrollment.missing"));
  });

  it("end when they are called off", async () => {
    handler = () => undefined;
    const abort = new AbortController();
    const pending = client().request({ path: "/", signal: abort.signal });
    abort.abort();
    await assert.rejects(pending, fails("request.unreachable"));
  });

  it("trust only servers of the pinned CA, and say when the server refuses their certificate", async () => {
    handler = (_request, response) => response.end();
    const stranger = await makeFleet();
    after(() => stranger.remove());
    const request = (tls: TlsMaterial) => client(() => tls).request({ path: "/" });
    await assert.rejects(
      request({ ...fleet.tls, ca: stranger.authority.certificate }),
      fails("certificate.server-untrusted"),
    );
    await assert.rejects(request({ ca: fleet.tls.ca }), fails("certificate.invalid", "request.unreachable"));
    await assert.rejects(
      request({ ...stranger.tls, ca: fleet.tls.ca }),
      fails("certificate.invalid", "request.unreachable"),
    );
    await assert.rejects(
      request(deviceTls(fleet.authority, fleet.keys, 1, Date.now() - 2 * 86_400_000)),
      fails("certificate.expired", "certificate.invalid", "request.unreachable"),
    );
  });

  it("turn problem documents into their errors", async () => {
    const answers: [number, string, ErrorCode][] = [
      [401, '{"code": "token.spent", "detail": "used up"}', "token.spent"],
      [401, '{"code": "of.the.future", "detail": "?"}', "request.conflict"],
      [503, "<html>", "request.unreachable"],
      [429, '{"code": "request.rate-limited"}', "request.rate-limited"],
    ];
    for (const [status, text, code] of answers) {
      handler = (_request, response) => response.writeHead(status).end(text);
      await assert.rejects(postJson(client(), "/x", { a: 1 }), fails(code));
    }
    handler = (request, response) => request.pipe(response.writeHead(201));
    assert.equal(await postJson(client(), "/x", { a: "é" }), '{"a":"é"}');
  });
});

describe("poll of the directive", () => {
  it("asks with the ETag of what was taken, and again for what failed", async () => {
    const asked: (string | undefined)[] = [];
    const offered: string[] = [];
    const failed: string[] = [];
    const synced: boolean[] = [];
    let takes = false;
    handler = (request, response) => {
      asked.push(request.headers["if-none-match"]);
      if (asked.length === 1) response.writeHead(204).end();
      else if (asked.length === 2) response.writeHead(503).end("busy");
      else if (request.headers["if-none-match"] === '"4"') response.writeHead(304).end();
      else response.writeHead(200, { etag: '"4"' }).end('{"the": "directive"}');
    };
    const poll = new DocumentPoll({
      http: client(),
      path: "/device/v1/desired",
      downMs: 10,
      upMs: 3_600_000,
      random: () => 0,
      offer: async (text) => {
        offered.push(text);
        return takes ? "accepted" : "deferred";
      },
      synced: (succeeded) => synced.push(succeeded),
      failed: ({ code }) => {
        failed.push(code);
        takes = failed.length >= 2;
      },
    });
    poll.start();
    while (asked.length < 6) await delay(5);
    poll.stop();
    assert.deepEqual(asked.slice(0, 6), [undefined, undefined, undefined, undefined, '"4"', '"4"']);
    assert.deepEqual(offered, ['{"the": "directive"}', '{"the": "directive"}']);
    assert.deepEqual(failed, ["request.unreachable", "request.conflict"]);
    assert.deepEqual(synced.slice(0, 5), [true, false, true, true, true]);
  });

  it("does not forget what it was asked for while an answer was on its way", async () => {
    const held: ServerResponse[] = [];
    handler = (_request, response) => held.push(response);
    const poll = new DocumentPoll({
      http: client(),
      path: "/device/v1/desired",
      downMs: 200,
      upMs: 3_600_000,
      random: () => 0,
      offer: async () => "accepted",
      synced: () => undefined,
      failed: () => undefined,
    });
    poll.setOnline(true);
    poll.askSoon();
    while (held.length < 1) await delay(5);
    poll.askSoon();
    held[0]?.writeHead(304).end();
    while (held.length < 2) await delay(5);
    poll.stop();
  });

  it("is seldom while MQTT is up", async () => {
    let asked = 0;
    handler = (_request, response) => {
      asked += 1;
      response.writeHead(204).end();
    };
    const poll = new DocumentPoll({
      http: client(),
      path: "/device/v1/desired",
      downMs: 10,
      upMs: 3_600_000,
      random: () => 0,
      offer: async () => "accepted",
      synced: () => undefined,
      failed: () => undefined,
    });
    poll.start();
    poll.setOnline(true);
    await delay(100);
    assert.equal(asked, 0);
    poll.setOnline(false);
    while (asked < 2) await delay(5);
    poll.stop();
  });
});
