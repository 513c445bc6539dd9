import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { Authority } from "@muster/control-plane/enrollment/authority";
import { ServerIdentity } from "@muster/control-plane/enrollment/server-identity";
import { isMusterError } from "@muster/shared/errors";
import { AlertDesk } from "../../support/alerts/desk.ts";
import { MailServer } from "../../support/alerts/mail-server.ts";
import { until } from "../../support/fleet/until.ts";

const ENVELOPE = {
  host: "127.0.0.1",
  from: "muster@plant.example",
  to: ["duty@plant.example", "boss@plant.example"],
};

describe("e-mail", () => {
  let desk: AlertDesk;
  let servers: MailServer[];
  let certificates: string;
  let tls: { key: string; cert: string };
  let ca: string;
  before(async () => {
    certificates = await mkdtemp(join(tmpdir(), "muster-mail-"));
    const authority = await Authority.open(certificates, Date.now());
    tls = (await ServerIdentity.open(authority, certificates, ["127.0.0.1"], Date.now())).secureContext();
    ca = await readFile(join(certificates, "ca.crt"), "utf8");
  });
  after(() => rm(certificates, { recursive: true, force: true }));
  beforeEach(async () => {
    desk = await AlertDesk.open();
    servers = [];
    await desk.hotRule();
  });
  afterEach(async () => {
    await desk.close();
    for (const server of servers) await server.close();
  });

  const openServer = async (...args: ConstructorParameters<typeof MailServer>): Promise<MailServer> => {
    const server = await new MailServer(...args).open();
    servers.push(server);
    return server;
  };
  const status = async () => (await desk.alerts.receiver("duty")).status;
  const heat = async () => {
    desk.fleet.set("a0", { loadPerCore: 99 });
    await desk.after(0);
  };

  it("comes over STARTTLS with the account's password, and again when it is over", async () => {
    const server = await openServer({ ...tls }, "s3cret-password");
    await desk.receiver("duty", {
      email: { ...ENVELOPE, port: server.port, ca, user: "muster", password: "s3cret-password" },
    });
    await heat();
    await until(() => server.mails.length === 1);
    const [mail] = server.mails;
    assert.deepEqual(
      [mail?.from, mail?.to, mail?.secure, mail?.user],
      [ENVELOPE.from, ENVELOPE.to, true, "muster"],
    );
    assert.match(mail?.text ?? "", /^Subject: \[muster warning\] name-a0 at eu\/a/m);
    assert.match(mail?.text ?? "", /^Message-ID: <[\w-]+@plant\.example>/m);
    assert.match(mail?.text ?? "", /^Auto-Submitted: auto-generated/m);
    desk.fleet.set("a0", { loadPerCore: 20 });
    await desk.after(60);
    await until(() => server.mails.length === 2);
    assert.match(server.mails[1]?.text ?? "", /^Subject: \[muster resolved\] Over: /m);
  });

  it("comes over TLS from the first byte", async () => {
    const server = await openServer({ ...tls, secure: true });
    await desk.receiver("duty", { email: { ...ENVELOPE, port: server.port, ca, tls: "implicit" } });
    await heat();
    await until(() => server.mails.length === 1);
    assert.equal(server.mails[0]?.secure, true);
  });

  it("comes in the clear only where that is asked for", async () => {
    const server = await openServer({ disabledCommands: ["STARTTLS"] });
    await desk.receiver("duty", { email: { ...ENVELOPE, port: server.port } });
    await heat();
    await until(async () => (await status()).error !== null);
    assert.equal(server.mails.length, 0);
    await desk.receiver("duty", { email: { ...ENVELOPE, port: server.port, tls: "none" } });
    await until(() => server.mails.length === 1);
  });

  it("gives no password to a server with the certificate of a stranger", async () => {
    const server = await openServer({ ...tls }, "s3cret-password");
    await desk.receiver("duty", {
      email: { ...ENVELOPE, port: server.port, user: "muster", password: "s3cret-password" },
    });
    await heat();
    await until(async () => (await status()).error !== null);
    assert.match((await status()).error ?? "", /certificate/);
    assert.deepEqual([server.offered, server.mails], [[], []]);
    assert.doesNotMatch(JSON.stringify(await desk.alerts.receivers()), /s3cret/);
  });

  it("is tried again after a wrong password or a full server, and given up where it is refused for good", async () => {
    const server = await openServer({ ...tls }, "right-password");
    const email = { ...ENVELOPE, port: server.port, ca, user: "muster" };
    await desk.receiver("duty", {
      email: { ...email, password: "wrong-password" },
      selector: "rule=hot",
    });
    await heat();
    await until(async () => (await status()).error !== null);
    assert.deepEqual([(await status()).waiting, (await status()).lost], [1, 0]);
    server.refuse = { code: 452, message: "mailbox is full" };
    await desk.receiver("duty", {
      email: { ...email, password: "right-password" },
      selector: "rule=hot",
    });
    await until(async () => /mailbox is full/.test((await status()).error ?? ""));
    assert.equal((await status()).waiting, 1);
    server.refuse = { code: 550, message: "no such list" };
    await until(async () => {
      await desk.after(60);
      return (await status()).lost === 1;
    });
    assert.match((await status()).error ?? "", /no such list/);
    assert.equal((await status()).waiting, 0);
  });

  it("ends in time when the server says nothing, and does not hold up the end of the process", async () => {
    const sockets: Socket[] = [];
    const mute: Server = createServer((socket) => void sockets.push(socket.on("error", () => {})));
    await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
    const { port } = mute.address() as { port: number };
    await desk.receiver("duty", { email: { ...ENVELOPE, port, timeoutMs: 300 } });
    await assert.rejects(desk.alerts.testReceiver("duty"), (error) =>
      isMusterError(error, "alert.undelivered"),
    );
    await desk.receiver("duty", { email: { ...ENVELOPE, port, timeoutMs: 60_000 } });
    await heat();
    await until(() => sockets.length === 2);
    await desk.restart();
    assert.equal((await status()).waiting, 1);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => mute.close(resolve));
  });
});
