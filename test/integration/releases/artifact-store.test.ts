import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { ArtifactStore } from "@muster/control-plane/releases/artifact-store";
import { isMusterError } from "@muster/shared/errors";
import { hexOf, sha256 } from "@muster/shared/trust/digest";
import { streamOf } from "./workshop.ts";

const HEX = hexOf(sha256("hello world"));

async function storeIn(context: TestContext, maxArtifactBytes = 1000) {
  const dir = await mkdtemp(join(tmpdir(), "muster-artifacts-"));
  context.after(() => rm(dir, { recursive: true, force: true }));
  const store = new ArtifactStore(dir, { maxArtifactBytes });
  await store.open();
  const left = async () => [
    ...(await readdir(join(dir, "sha256"))),
    ...(await readdir(join(dir, "incoming"))),
  ];
  return { dir, store, left };
}

test("an upload is stored under its digest, once", async (context) => {
  const { store, left } = await storeIn(context);
  const digest = `sha256:${HEX}`;
  assert.deepEqual(await store.put(HEX, streamOf("hello ", "world")), { digest, size: 11, created: true });
  assert.deepEqual(await store.put(HEX, streamOf("anything")), { digest, size: 11, created: false });
  assert.equal(await store.size(HEX), 11);
  assert.deepEqual(await left(), [HEX]);
  const part: Buffer[] = [];
  for await (const chunk of store.read(HEX, { start: 6, end: 8 })) part.push(chunk as Buffer);
  assert.equal(Buffer.concat(part).toString(), "wor");
});

test("two uploads of the same artifact at once both succeed", async (context) => {
  const { store, left } = await storeIn(context);
  await Promise.all([store.put(HEX, streamOf("hello ", "world")), store.put(HEX, streamOf("hello world"))]);
  assert.deepEqual(await left(), [HEX]);
});

async function* cut(): AsyncGenerator<Buffer> {
  yield Buffer.from("hello ");
  throw new Error("socket hang up");
}

const bad: [string, string, Readable, string][] = [
  ["another content", HEX, streamOf("hello there"), "artifact.corrupted"],
  ["a truncated content", HEX, streamOf("hello "), "artifact.corrupted"],
  ["a content over the limit", HEX, streamOf("x".repeat(600), "x".repeat(600)), "artifact.too-large"],
  ["a connection that breaks", HEX, Readable.from(cut()), "download.interrupted"],
  ["a name that is no digest", "../../etc/passwd", streamOf("x"), "request.invalid"],
  ["a digest in capitals", HEX.toUpperCase(), streamOf("hello world"), "request.invalid"],
];

for (const [what, hex, content, code] of bad)
  test(`${what} is refused and leaves nothing behind`, async (context) => {
    const { store, left } = await storeIn(context);
    await assert.rejects(store.put(hex, content), (error) => isMusterError(error) && error.code === code);
    assert.deepEqual(await left(), []);
    assert.equal(await store.size(hex), undefined);
  });

test("an upload that announces too much is refused before any of it is read", async (context) => {
  const { store, left } = await storeIn(context);
  const content = streamOf("hello ", "world");
  await assert.rejects(store.put(HEX, content, 1001), (error) => isMusterError(error, "artifact.too-large"));
  assert.equal(content.readableDidRead, false);
  assert.deepEqual(await left(), []);
});

test("what a crash left of an upload is removed at the start", async (context) => {
  const { dir, store, left } = await storeIn(context);
  await store.put(HEX, streamOf("hello world"));
  await writeFile(join(dir, "incoming", `${HEX}.1.1`), "hel");
  await new ArtifactStore(dir).open();
  assert.deepEqual(await left(), [HEX]);
});
