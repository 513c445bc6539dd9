import assert from "node:assert/strict";
import { mkdir, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { downloadArtifact } from "@muster/agent/update/download";
import { ArtifactStore as DeviceStore } from "@muster/agent/update/store";
import { TrustStore } from "@muster/agent/update/trust-store";
import { addTarget, signTargets } from "@muster/control-plane/trust/offline-signing";
import { type ErrorCode, isMusterError } from "@muster/shared/errors";
import { DEVICE_API } from "@muster/shared/protocol/device-api";
import { canonicalJson } from "@muster/shared/trust/canonical-json";
import { hexOf, sha256 } from "@muster/shared/trust/digest";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import { bodyOf, request, streamOf, Workshop } from "./workshop.ts";

const refuses =
  (code: ErrorCode, words = /./) =>
  (error: unknown) =>
    isMusterError(error, code) && words.test(error.message);

async function workshopOf(context: TestContext): Promise<Workshop> {
  const workshop = await Workshop.open();
  context.after(() => workshop.close());
  // The device of this test judges expiry by the real clock.
  workshop.now = Date.now();
  return workshop;
}

test("a device verifies what was released and fetches it, going on after a cut", async (context) => {
  const workshop = await workshopOf(context);
  const root = await workshop.initTrust();
  const first = await workshop.release("1.0.0", 1);
  const second = await workshop.release("1.1.0", 2);
  const port = await workshop.listen();

  const device = join(workshop.dir, "device");
  await mkdir(join(device, "tuf"), { recursive: true });
  await writeFile(join(device, "tuf", "root.json"), root);
  const http = {
    request: async (what: { path: string; headers?: Record<string, string> }) => {
      const answer = await request(port, what);
      return { status: answer.statusCode ?? 0, headers: answer.headers, body: answer };
    },
  };
  const { signal } = new AbortController();
  const trust = new TrustStore(device, http);
  for (const { manifest, text } of [first, second]) {
    const { name, version, sequence } = manifest;
    const trusted = await trust.trustedManifest({ name, version, sequence, digest: sha256(text) }, signal);
    assert.equal(trusted.text, text);
  }
  const keys = await trust.directiveKeys();
  assert.equal(keys[workshop.online.directive.keyId], workshop.online.directive.publicKey);

  const store = new DeviceStore(device);
  await store.create();
  const [{ artifact, file }] = first.files as [(typeof first.files)[0]];
  const whole = await readFile(file);
  const partial = await open(store.partialPathOf(artifact.digest), "w");
  await partial.writeFile(whole.subarray(0, 1234));
  await partial.close();
  await downloadArtifact(artifact, { http, store, maxCorruptDownloads: 1, signal, onProgress: () => {} });
  assert.deepEqual(await readFile(store.pathOf(artifact.digest)), whole);

  const listed = await workshop.releases.list();
  assert.deepEqual(
    listed.map(({ version, sequence, components }) => [version, sequence, components.length]),
    [
      ["1.1.0", 2, 2],
      ["1.0.0", 1, 2],
    ],
  );
  assert.equal((await workshop.releases.get("vibration", "1.0.0")).components[0]?.variants[0]?.id, "int8");
  await assert.rejects(workshop.releases.get("vibration", "9"), refuses("request.not-found"));
});

test("artifacts are served with ranges, and only those of releases", async (context) => {
  const workshop = await workshopOf(context);
  await workshop.initTrust();
  const { files } = await workshop.release("1.0.0", 1);
  const orphan = "an artifact that no release has";
  await workshop.artifacts.put(hexOf(sha256(orphan)), streamOf(orphan));
  const port = await workshop.listen();
  const [{ artifact, file }] = files as [(typeof files)[0]];
  const content = await readFile(file, "utf8");
  const path = DEVICE_API.artifacts + hexOf(artifact.digest);
  const etag = `"${hexOf(artifact.digest)}"`;
  const ask = async (headers: Record<string, string>, method = "GET") => {
    const answer = await request(port, { path, method, headers });
    return { status: answer.statusCode, headers: answer.headers, body: await bodyOf(answer) };
  };

  const all = await ask({});
  assert.deepEqual([all.status, all.body], [200, content]);
  assert.equal(all.headers["accept-ranges"], "bytes");
  assert.equal(all.headers.etag, etag);
  assert.match(all.headers["cache-control"] ?? "", /immutable/);
  const head = await ask({}, "HEAD");
  assert.deepEqual([head.status, head.body], [200, ""]);
  assert.equal(head.headers["content-length"], String(artifact.size));
  const part = await ask({ range: "bytes=5-9", "if-range": etag });
  assert.deepEqual([part.status, part.body], [206, content.slice(5, 10)]);
  assert.equal(part.headers["content-range"], `bytes 5-9/${artifact.size}`);
  assert.equal(part.headers["content-length"], "5");
  assert.equal((await ask({ range: "bytes=5-9", "if-range": '"other"' })).status, 200);
  const beyond = await ask({ range: `bytes=${artifact.size}-` });
  assert.equal(beyond.status, 416);
  assert.equal(beyond.headers["content-range"], `bytes */${artifact.size}`);
  assert.equal((await ask({ "if-none-match": etag })).status, 304);

  for (const wrong of [
    DEVICE_API.artifacts + hexOf(sha256(orphan)),
    `${DEVICE_API.artifacts}..%2f..%2fcontrol.db`,
    `${DEVICE_API.artifacts}${"0".repeat(64)}`,
    `${DEVICE_API.tuf}9.root.json`,
    `${DEVICE_API.tuf}..%2fkeys%2fdirective.key`,
    `${DEVICE_API.targets}releases/vibration/${"0".repeat(64)}.1.0.0.json`,
    `${DEVICE_API.targets}releases/vibration/1.0.0.json`,
  ]) {
    const answer = await request(port, { path: wrong });
    assert.equal(answer.statusCode, 404, wrong);
    assert.equal(JSON.parse(await bodyOf(answer)).code, "request.not-found");
  }
});

test("a release that is not what was signed is refused, and nothing of it is kept", async (context) => {
  const workshop = await workshopOf(context);
  const { releases, trust, offline } = workshop;
  const packaged = await workshop.pack("1.0.0", 1);
  const { text, target } = packaged;
  await assert.rejects(
    releases.create({ manifest: text, targets: signTargets(offline, 1, [target], workshop.now) }),
    refuses("release.artifact-missing", /model.onnx/),
  );
  await workshop.upload(packaged);
  await assert.rejects(
    releases.create({ manifest: text, targets: signTargets(offline, 1, [target], workshop.now) }),
    refuses("trust.uninitialized"),
  );
  await workshop.initTrust();
  const targets = await workshop.signFor(packaged);
  const stranger = { root: offline.root, targets: signingKeyFrom(Buffer.alloc(32, 9)) };
  const other = canonicalJson({ ...packaged.manifest, description: "slipped in" });
  const attempts: [string, { manifest: string; targets: string }, ErrorCode, RegExp?][] = [
    ["not JSON", { manifest: "{", targets }, "release.manifest-invalid"],
    ["not canonical", { manifest: ` ${text}`, targets }, "release.manifest-invalid", /canonical/],
    ["another manifest", { manifest: other, targets }, "release.digest-mismatch"],
    [
      "targets without it",
      { manifest: text, targets: signTargets(offline, 2, [], 1) },
      "release.digest-mismatch",
    ],
    ["no targets", { manifest: text, targets: "nothing" }, "trust.metadata-invalid"],
    [
      "targets by a stranger",
      { manifest: text, targets: signTargets(stranger, 2, [target], workshop.now) },
      "trust.metadata-invalid",
      /not signed/,
    ],
    [
      "targets of an old version",
      { manifest: text, targets: signTargets(offline, 1, [target], workshop.now) },
      "trust.metadata-invalid",
      /version 1/,
    ],
    [
      "expired targets",
      { manifest: text, targets: signTargets(offline, 2, [target], 0) },
      "trust.metadata-expired",
    ],
  ];
  for (const [what, given, code, words] of attempts)
    await assert.rejects(releases.create(given), refuses(code, words), what);
  assert.deepEqual(await releases.list(), []);
  assert.equal((await trust.view()).versions.targets, 1);

  await releases.create({ manifest: text, targets });
  await assert.rejects(releases.create({ manifest: text, targets }), refuses("release.exists"));
  const again = await workshop.pack("1.1.0", 1);
  await workshop.upload(again);
  await assert.rejects(
    releases.create({ manifest: again.text, targets: await workshop.signFor(again) }),
    refuses("request.conflict", /sequence 1/),
  );
  const next = await workshop.pack("1.2.0", 2);
  await workshop.upload(next);
  await assert.rejects(
    releases.create({ manifest: next.text, targets: signTargets(offline, 3, [next.target], workshop.now) }),
    refuses("request.conflict", /lack vibration 1.0.0/),
  );
  const behind = addTarget(
    offline,
    signTargets(offline, 1, [target], workshop.now),
    next.target,
    workshop.now,
  );
  await assert.rejects(
    releases.create({ manifest: next.text, targets: behind }),
    refuses("trust.metadata-invalid"),
    "two operators signed the same version: the second signs again",
  );
  await workshop.release("1.2.0", 2);
  assert.equal((await releases.list()).length, 2);
});

test("a spec with files that are missing, empty or elsewhere is refused by name", async (context) => {
  const workshop = await workshopOf(context);
  const { files } = await workshop.pack("1.0.0", 1);
  assert.equal(files.length, 4);
  const folder = join(workshop.dir, "spec-1.0.0");
  const file = join(folder, "release.json");
  const spec = JSON.parse(await readFile(file, "utf8"));
  const { packageRelease, readReleaseSpec } = await import("@muster/control-plane/releases/package");
  const withDocument = async (document: string) => {
    spec.components[1].document = document;
    await writeFile(file, JSON.stringify(spec));
    return await packageRelease(file, await readReleaseSpec(file), 1);
  };
  await writeFile(join(folder, "empty.json"), "");
  for (const [document, words] of Object.entries({
    "none.json": /none.json of the release does not exist/,
    "empty.json": /is empty/,
    "../control.db": /outside/,
    "../offline": /outside/,
  }))
    await assert.rejects(withDocument(document), refuses("release.manifest-invalid", words), document);
  await assert.rejects(readReleaseSpec(join(folder, "no.json")), refuses("release.manifest-invalid"));
  await writeFile(file, "{}");
  await assert.rejects(readReleaseSpec(file), refuses("release.manifest-invalid"));
});

test("a spec that names a component or a variant twice is refused before anything is uploaded", async (context) => {
  const workshop = await workshopOf(context);
  await workshop.pack("1.0.0", 1);
  const file = join(workshop.dir, "spec-1.0.0", "release.json");
  const spec = JSON.parse(await readFile(file, "utf8"));
  const { packageRelease } = await import("@muster/control-plane/releases/package");
  const [model, config] = spec.components;
  const variants = [...model.variants, ...model.variants];
  for (const [components, words] of [
    [[model, config, config], /config limits is there twice/],
    [[{ ...model, variants }, config], /variant int8 of model bearing is there twice/],
  ] as const)
    await assert.rejects(
      packageRelease(file, { ...spec, components }, 1),
      refuses("release.manifest-invalid", words),
    );
});
