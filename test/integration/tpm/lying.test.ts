import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { openTpm } from "@muster/agent/tpm/tpm";
import { isMusterError } from "@muster/shared/errors";
import fc from "fast-check";
import { refused } from "./scene.ts";

/** Takes a command and says something that no TPM says. */
type Lie = (socket: Socket, command: Buffer) => void;

describe("a TPM that lies", () => {
  let directory: string;
  let server: Server;
  let lie: Lie = () => {};
  const sockets = new Set<Socket>();
  const setting = () => `swtpm:unix:${join(directory, "lying.sock")}`;
  const open = (timeoutMs = 20_000) => openTpm(setting(), { timeoutMs });
  const says =
    (hex: string): Lie =>
    (socket) =>
      void socket.write(Buffer.from(hex, "hex"));

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "lying-tpm-"));
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("data", (command: Buffer) => lie(socket, command));
    });
    server.listen(join(directory, "lying.sock"));
    await once(server, "listening");
  });
  after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await rm(directory, { recursive: true });
  });

  const LIES: [what: string, hex: string, words: RegExp][] = [
    ["a size below that of a header", "80010000000900000000", /9 bytes/],
    ["a huge size", "8001ffffffff00000000", /4294967295 bytes/],
    ["more than it announced", "80010000000a00000000ff", /1 bytes behind/],
    ["a tag that no command has", "12340000000a00000000", /tag 0x1234/],
    ["the tag of an answer to a session", "80020000000a00000000", /tag 0x8002/],
    ["an answer without parameters", "80010000000a00000000", /too early/],
    ["another capability", "80010000001300000000000000000100000000", /told 1/],
    ["more handles than it sends", "8001000000130000000000000000017fffffff", /too early/],
  ];
  for (const [what, hex, words] of LIES)
    it(`is found out that tells ${what}`, async () => {
      lie = says(hex);
      await refused(open(), "tpm.malformed", words);
    });

  it("is given up that says half of an answer", async () => {
    lie = says("8001000000200000");
    await refused(open(50), "tpm.timeout", /silent/);
  });

  it("is given up that hangs", async () => {
    lie = () => {};
    await refused(open(50), "tpm.timeout", /silent/);
  });

  it("is given up that hangs up", async () => {
    lie = (socket) => void socket.write(Buffer.from("8001", "hex"), () => socket.destroy());
    await refused(open(), "tpm.unavailable");
  });

  it("is given up that is not there", async () => {
    await refused(openTpm(`${setting()}.none`), "tpm.unavailable", /ENOENT/);
    await refused(openTpm("swtpm:127.0.0.1:1"), "tpm.unavailable", /ECONNREFUSED/);
  });

  it("is found out whatever it says, at once", async () => {
    const header = fc
      .record({
        tag: fc.constantFrom(0x8001, 0x8002, 0x00c4),
        rc: fc.oneof(fc.constant(0), fc.nat(0xfff), fc.nat(0xffffffff)),
        body: fc.uint8Array({ maxLength: 200 }),
      })
      .map(({ tag, rc, body }) => {
        const bytes = Buffer.alloc(10 + body.length);
        bytes.writeUInt16BE(tag);
        bytes.writeUInt32BE(bytes.length, 2);
        bytes.writeUInt32BE(rc, 6);
        bytes.set(body, 10);
        return bytes;
      });
    // Bytes that are no whole answer come with the end of the connection, for nobody waits for a timeout here.
    const garbage = fc.uint8Array({ minLength: 1, maxLength: 300 });
    await fc.assert(
      fc.asyncProperty(fc.oneof(header, garbage), async (bytes) => {
        lie = (socket) => void socket.end(bytes);
        await assert.rejects(open(), (error) => isMusterError(error) && error.code.startsWith("tpm."));
      }),
      { numRuns: 300 },
    );
  });
});
