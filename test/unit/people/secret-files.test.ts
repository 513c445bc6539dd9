import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { SecretFiles } from "@muster/agent/secrets/secret-files";
import { isMusterError } from "@muster/shared/errors";
import { sealTo } from "@muster/shared/trust/sealed-box";
import nacl from "tweetnacl";

const DEVICE = `d${"a".repeat(20)}`;
const OTHER = `d${"b".repeat(20)}`;

function keyPair() {
  const { publicKey, secretKey } = nacl.box.keyPair();
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  return { publicKey: hex(publicKey), secretKey: hex(secretKey) };
}

describe("secrets on the box", () => {
  const key = keyPair();
  let dir: string;
  let files: SecretFiles;
  beforeEach(async () => {
    dir = join(await mkdtemp(join(tmpdir(), "muster-secret-files-")), "secrets");
    files = new SecretFiles(dir, DEVICE, key);
  });
  afterEach(() => rm(join(dir, ".."), { recursive: true }));

  const sealed = (
    name: string,
    value: string | Buffer,
    more: Record<string, unknown> = {},
    to = key.publicKey,
  ) => {
    const content = {
      device: DEVICE,
      name,
      version: 1,
      value: Buffer.from(value).toString("base64"),
      ...more,
    };
    return { name, version: 1, box: sealTo(to, Buffer.from(JSON.stringify(content)), randomBytes(32)) };
  };
  const document = (...secrets: unknown[]) => JSON.stringify({ v: 1, secrets });
  const unreadable = (error: unknown) => isMusterError(error, "secret.unreadable");

  it("are bytes as they were set, for the user of the agent alone, and are written only when they change", async () => {
    const bytes = randomBytes(300);
    const text = document(sealed("camera", "x"), sealed("key", bytes));
    assert.deepEqual(await files.take(text), { written: ["camera", "key"], removed: [] });
    assert.ok((await readFile(join(dir, "key"))).equals(bytes));
    assert.equal((await stat(join(dir, "key"))).mode & 0o777, 0o600);
    assert.deepEqual(await files.take(text), { written: [], removed: [] });
    await writeFile(join(dir, "camera.new"), "left by a power cut");
    assert.deepEqual(await files.take(document(sealed("camera", "y"))), {
      written: ["camera"],
      removed: ["camera.new", "key"],
    });
    assert.deepEqual(await readdir(dir), ["camera"]);
  });

  it("make no directory for a box without any", async () => {
    await files.take(document());
    await assert.rejects(readdir(dir));
  });

  const good = () => sealed("fresh", "fresh");
  const BAD: [what: string, secret: () => unknown][] = [
    ["for another device", () => sealed("camera", "evil", { device: OTHER })],
    ["that is another one", () => ({ ...sealed("relay", "evil"), name: "camera" })],
    ["of another version", () => ({ ...sealed("camera", "evil"), version: 2 })],
    ["sealed to another key", () => sealed("camera", "evil", {}, keyPair().publicKey)],
    ["with a member too many", () => sealed("camera", "evil", { path: "/etc/passwd" })],
    [
      "that was changed",
      () => {
        const secret = sealed("camera", "evil");
        const bytes = Buffer.from(secret.box.box, "base64");
        bytes[20] = (bytes[20] ?? 0) ^ 1;
        return { ...secret, box: { ...secret.box, box: bytes.toString("base64") } };
      },
    ],
  ];
  for (const [what, secret] of BAD)
    it(`stay as they are when one comes ${what}`, async () => {
      await files.take(document(sealed("camera", "x")));
      await assert.rejects(files.take(document(good(), secret())), unreadable);
      assert.deepEqual(await readdir(dir), ["camera"]);
      assert.equal(await readFile(join(dir, "camera"), "utf8"), "x");
    });

  it("never leave their directory", async () => {
    for (const name of ["../x", "/etc/x", "a/b", ".", ""])
      await assert.rejects(
        files.take(document({ ...good(), name })),
        (error) => isMusterError(error, "wire.malformed"),
        name,
      );
  });
});
