import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { TrustStore } from "@muster/agent/update/trust-store";
import { isMusterError } from "@muster/shared/errors";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ReleaseManifest } from "@muster/shared/protocol/release";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import { Origin } from "./origin.ts";
import { plainHttp } from "./world.ts";

const stranger = signingKeyFrom(Buffer.alloc(32, 99));
const artifact = (byte: string) => ({ name: "file", digest: `sha256:${byte.repeat(64)}`, size: 1 });
const manifest = (version: string, sequence: number): ReleaseManifest => ({
  schema: "muster.release/1",
  name: "inspection",
  version,
  sequence,
  components: [{ type: "config", name: "limits", version, document: artifact("a") }],
  probation: {
    ...{ minSeconds: 0, deadlineSeconds: 1, minInferences: 0, maxErrorRate: 0, maxP95Ms: 1, maxCrashes: 0 },
  },
});

class Site {
  readonly origin = new Origin();
  dataDir = "";
  trust!: TrustStore;
  release!: ReleaseRef;

  static async run(use: (site: Site) => Promise<void>): Promise<void> {
    const site = new Site();
    site.dataDir = await mkdtemp(join(tmpdir(), "muster-trust-"));
    mkdirSync(join(site.dataDir, "tuf"));
    await site.origin.start();
    writeFileSync(join(site.dataDir, "tuf", "root.json"), site.origin.root(1));
    site.release = site.origin.publish(manifest("1.0.0", 1));
    site.restart();
    try {
      await use(site);
    } finally {
      await site.origin.stop();
      await rm(site.dataDir, { recursive: true });
    }
  }

  restart(): void {
    this.trust = new TrustStore(
      this.dataDir,
      plainHttp(() => this.origin.url),
    );
  }

  async code(release = this.release): Promise<string> {
    try {
      await this.trust.trustedManifest(release, new AbortController().signal);
      return "trusted";
    } catch (error) {
      if (!isMusterError(error)) throw error;
      return error.code;
    }
  }

  /** Version of a metadata file in force on the device. */
  version(role: string): number {
    const file = join(this.dataDir, "tuf", "current", `${role}.json`);
    return (JSON.parse(readFileSync(file, "utf8")) as { signed: { version: number } }).signed.version;
  }
}

test("trust: a signed release is trusted, again without a newer signature, and after a restart", () =>
  Site.run(async (site) => {
    const { manifest: found } = await site.trust.trustedManifest(site.release, new AbortController().signal);
    assert.equal(found.version, "1.0.0");
    assert.equal(await site.code(), "trusted");
    site.restart();
    assert.equal(await site.code(), "trusted");
    assert.equal(readdirSync(join(site.dataDir, "tuf")).filter((name) => name.startsWith("set-")).length, 1);
  }));

const refusals: [string, (site: Site) => void, string][] = [
  [
    "an expired timestamp",
    ({ origin }) => origin.sign({ expires: Date.now() - 1000 }),
    "trust.metadata-expired",
  ],
  [
    "a timestamp by a stranger",
    ({ origin }) => origin.sign({ timestampKey: stranger }),
    "trust.metadata-invalid",
  ],
  ["targets by a stranger", ({ origin }) => origin.sign({ targetsKey: stranger }), "trust.metadata-invalid"],
  ["versions that went back", ({ origin }) => origin.sign({ online: 1 }), "trust.metadata-invalid"],
  ["a root by a stranger", ({ origin }) => origin.rotateRoot({ root: stranger }), "trust.metadata-invalid"],
  ["an expired root", ({ origin }) => origin.rotateRoot({}, Date.now() - 1000), "trust.metadata-expired"],
];
for (const [name, change, code] of refusals)
  test(`trust: ${name} stops what is new (${code}), and nothing is lost`, () =>
    Site.run(async (site) => {
      assert.equal(await site.code(), "trusted");
      const before = site.version("timestamp");
      change(site);
      assert.equal(await site.code(), code);
      site.restart();
      assert.equal(await site.code(), code);
      assert.ok(site.version("timestamp") >= before);
    }));

test("trust: without the network nothing new is trusted", () =>
  Site.run(async (site) => {
    await site.origin.stop();
    assert.equal(await site.code(), "request.unreachable");
    await site.origin.start();
  }));

const wrongReleases: [string, Partial<ReleaseRef>, string][] = [
  ["a version that nobody signed", { version: "6.6.6" }, "release.unsigned"],
  ["another digest than signed", { digest: `sha256:${"f".repeat(64)}` }, "release.digest-mismatch"],
  ["another sequence than signed", { sequence: 9 }, "release.digest-mismatch"],
];
for (const [name, over, code] of wrongReleases)
  test(`trust: ${name} is refused as ${code}`, () =>
    Site.run(async (site) => {
      assert.equal(await site.code({ ...site.release, ...over }), code);
    }));

test("trust: a newer root brings newer directive keys, also when the rest of the metadata is bad", () =>
  Site.run(async (site) => {
    const before = await site.trust.directiveKeys();
    const next = signingKeyFrom(Buffer.alloc(32, 50));
    site.origin.rotateRoot({ directive: next });
    site.origin.sign({ timestampKey: stranger });
    assert.equal(await site.code(), "trust.metadata-invalid");
    site.restart();
    assert.deepEqual(Object.keys(await site.trust.directiveKeys()), [next.keyId]);
    assert.notDeepEqual(Object.keys(before), [next.keyId]);
    assert.equal(site.version("root"), 2);
  }));

test("trust: many roots are followed one by one", () =>
  Site.run(async (site) => {
    for (let byte = 60; byte < 65; byte++) {
      const next = signingKeyFrom(Buffer.alloc(32, byte));
      site.origin.rotateRoot({ timestamp: next });
    }
    site.origin.sign();
    assert.equal(await site.code(), "trusted");
    assert.equal(site.version("root"), 6);
  }));

test("trust: files that a power cut damaged are fetched again; the root in force is never among them", () =>
  Site.run(async (site) => {
    assert.equal(await site.code(), "trusted");
    const current = join(site.dataDir, "tuf", "current");
    for (const name of ["timestamp.json", "snapshot.json", "targets.json"]) {
      writeFileSync(join(current, name), '{"signed":');
      site.restart();
      assert.equal(await site.code(), "trusted");
    }
    mkdirSync(join(site.dataDir, "tuf", "set-999"));
    writeFileSync(join(site.dataDir, "tuf", "set-999", "root.json"), "");
    site.restart();
    assert.equal(await site.code(), "trusted");
    assert.notEqual(readlinkSync(current), "set-999");
  }));

test("trust: a device that was enrolled anew follows the new root", () =>
  Site.run(async (site) => {
    assert.equal(await site.code(), "trusted");
    const other = new Origin();
    const otherKeys = {
      root: signingKeyFrom(Buffer.alloc(32, 70)),
      directive: signingKeyFrom(Buffer.alloc(32, 71)),
    };
    Object.assign(other.keys, otherKeys);
    await other.start();
    writeFileSync(join(site.dataDir, "tuf", "root.json"), other.root(1));
    const release = other.publish(manifest("1.0.0", 1));
    const trust = new TrustStore(
      site.dataDir,
      plainHttp(() => other.url),
    );
    for (let sign = 0; sign < 3; sign++) other.sign();
    await trust.trustedManifest(release, new AbortController().signal);
    assert.deepEqual(Object.keys(await trust.directiveKeys()), [otherKeys.directive.keyId]);
    await other.stop();
  }));

const variant = (id: string) => ({
  id,
  precision: "int8" as const,
  requires: { providers: ["cpu"] },
  model: artifact("a"),
  golden: artifact("b"),
  reference: artifact("c"),
});
const model = (ids: string[]) => ({
  type: "model" as const,
  name: "eyes",
  version: "1",
  variants: ids.map(variant),
});
for (const [name, components] of [
  ["two components of one type and name", [model(["cpu"]), model(["cpu"])]],
  ["two variants of one id", [model(["cpu", "gpu", "cpu"])]],
] as const)
  test(`trust: ${name} are refused, whoever signed them`, () =>
    Site.run(async (site) => {
      const release = site.origin.publish({ ...manifest("2.0.0", 2), components: [...components] });
      assert.equal(await site.code(release), "release.manifest-invalid");
    }));

test("trust: without a root there is no trust", () =>
  Site.run(async (site) => {
    await rm(join(site.dataDir, "tuf", "root.json"));
    assert.equal(await site.code(), "trust.uninitialized");
  }));
