import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openSealedModel } from "@muster/agent/runner/sealed-model";
import { sealModels } from "@muster/control-plane/releases/sealing";
import { isMusterError } from "@muster/shared/errors";
import type { ReleaseSpec } from "@muster/shared/protocol/release-spec";

const dir = await mkdtemp(join(tmpdir(), "muster-sealed-"));
after(() => rm(dir, { recursive: true, force: true }));

const MODEL = Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * 7) % 256));
await writeFile(join(dir, "model.onnx"), MODEL);
const spec = {
  components: [{ type: "model", variants: [{ model: "model.onnx" }, { model: "model.onnx" }] }],
} as unknown as ReleaseSpec;
let draws = 0;
const random = (bytes: number): Buffer => {
  draws += 1;
  return createHash("shake256", { outputLength: bytes }).update(`${draws}`).digest();
};
const sealed = await sealModels(join(dir, "release.json"), spec, dir, random);
const [[, model]] = [...sealed] as [[string, NonNullable<ReturnType<typeof sealed.get>>]];
const { file: path, artifact } = model.packaged;
const whole = { path, digest: artifact.digest, sealed: model.sealed };

const refused = (
  what: typeof whole,
  code: Parameters<typeof isMusterError>[1],
  secret: Buffer = model.secret,
) => assert.rejects(openSealedModel(what, secret), (error) => isMusterError(error, code));

test("a file that two variants share is sealed once, and opens into what it was", async () => {
  assert.equal(sealed.size, 1);
  assert.equal(artifact.size, (await readFile(path)).length);
  assert.deepEqual(await openSealedModel(whole, model.secret), MODEL);
});

test("damage of the disk is told from a release that was made wrong", async () => {
  const bytes = await readFile(path);
  const changed = Buffer.from(bytes);
  changed[100_000] = (changed[100_000] ?? 0) ^ 1;
  const cases: [string, Buffer][] = [
    ["changed", changed],
    ["cut", bytes.subarray(0, bytes.length - 1)],
    ["grown", Buffer.concat([bytes, Buffer.from([0])])],
    ["empty", Buffer.alloc(0)],
  ];
  for (const [name, content] of cases) {
    const damaged = join(dir, name);
    await writeFile(damaged, content);
    await refused({ ...whole, path: damaged }, "artifact.corrupted");
    const digest = `sha256:${createHash("sha256").update(content).digest("hex")}` as const;
    if (name !== "grown") await refused({ ...whole, path: damaged, digest }, "key.sealed-invalid");
  }
});

test("a sealed file of another model, or under another key, is not opened", async () => {
  const zeros = `sha256:${"0".repeat(64)}` as const;
  await refused({ ...whole, sealed: { ...model.sealed, digest: zeros } }, "key.sealed-invalid");
  await refused({ ...whole, sealed: { ...model.sealed, size: 10 } }, "key.sealed-invalid");
  await refused({ ...whole, sealed: { ...model.sealed, key: "0".repeat(32) } }, "key.sealed-invalid");
  await refused(whole, "key.wrong", Buffer.alloc(32));
});
