import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { downloadArtifact } from "@muster/agent/update/download";
import { ArtifactStore } from "@muster/agent/update/store";
import { isMusterError } from "@muster/shared/errors";
import type { Artifact } from "@muster/shared/protocol/release";
import fc from "fast-check";
import { type Fault, Origin } from "./origin.ts";
import { plainHttp } from "./world.ts";

const CONTENT = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) % 251));

class Site {
  readonly origin = new Origin();
  store!: ArtifactStore;
  artifact!: Artifact;
  #root = "";

  static async run(use: (site: Site) => Promise<void>): Promise<void> {
    const site = new Site();
    site.#root = await mkdtemp(join(tmpdir(), "muster-download-"));
    site.store = new ArtifactStore(site.#root);
    await site.store.create();
    await site.origin.start();
    site.artifact = { name: "eyes.onnx", ...site.origin.addArtifact(CONTENT) } as Artifact;
    try {
      await use(site);
    } finally {
      await site.origin.stop();
      await rm(site.#root, { recursive: true });
    }
  }

  download(signal = new AbortController().signal): Promise<void> {
    const context = { http: plainHttp(() => this.origin.url), store: this.store, maxCorruptDownloads: 3 };
    return downloadArtifact(this.artifact, { ...context, signal, onProgress: () => undefined });
  }

  /** Downloads until it ends in something else than an interruption. @returns the code it ended with */
  async persist(tries = 20): Promise<string> {
    for (let count = 0; count < tries; count++) {
      try {
        await this.download();
        return "whole";
      } catch (error) {
        if (!isMusterError(error)) throw error;
        if (error.code !== "download.interrupted") return error.code;
      }
    }
    return "download.interrupted";
  }

  get partial(): string {
    return this.store.partialPathOf(this.artifact.digest);
  }

  async isWhole(): Promise<boolean> {
    return (await this.store.hasWhole(this.artifact)) && !existsSync(this.partial);
  }
}

const once = (fault: Fault) => (count: number) => (count === 1 ? fault : undefined);
const recoverable: [string, Fault][] = [
  ["a cut connection", { kind: "cut", at: 100_000 }],
  ["a body that ends early", { kind: "truncate", at: 100_000 }],
  ["a flipped bit", { kind: "flip", at: 5 }],
];
for (const [name, fault] of recoverable)
  test(`download: ${name} is overcome`, () =>
    Site.run(async (site) => {
      site.origin.fault = once(fault);
      assert.equal(await site.persist(), "whole");
      assert.ok(await site.isWhole());
    }));

test("download: it continues at the byte where it was cut", () =>
  Site.run(async (site) => {
    site.origin.fault = once({ kind: "cut", at: 100_000 });
    await assert.rejects(site.download(), (error) => isMusterError(error, "download.interrupted"));
    const size = readFileSync(site.partial).length;
    await site.download();
    assert.equal(site.origin.ranges.at(-1), `bytes=${size}-`);
    assert.ok(size > 0 && (await site.isWhole()));
  }));

const oddAnswers: [string, Fault, string, number][] = [
  ["a server that ignores the range", { kind: "ignore-range" }, "whole", 1],
  ["a server that sends another range", { kind: "wrong-range" }, "whole", 2],
  ["a server that cannot satisfy the range", { kind: "no-satisfiable-range" }, "whole", 2],
  ["a server that sends too much", { kind: "oversize" }, "artifact.too-large", 1],
];
for (const [name, fault, outcome, requests] of oddAnswers)
  test(`download: ${name}, in the middle of a file`, () =>
    Site.run(async (site) => {
      writeFileSync(site.partial, CONTENT.subarray(0, 1000));
      site.origin.fault = once(fault);
      assert.equal(await site.persist(), outcome);
      assert.equal(site.origin.artifactRequests, requests);
      assert.equal(await site.isWhole(), outcome === "whole");
      assert.ok(!existsSync(site.partial));
    }));

const hopeless: [string, Fault, string, number][] = [
  ["damage that repeats", { kind: "flip", at: 9 }, "artifact.corrupted", 3],
  ["a missing artifact", { kind: "status", status: 404 }, "release.artifact-missing", 1],
  ["a broken server", { kind: "status", status: 503 }, "request.unreachable", 1],
];
for (const [name, fault, code, requests] of hopeless)
  test(`download: ${name} ends as ${code}`, () =>
    Site.run(async (site) => {
      site.origin.fault = () => fault;
      assert.equal(await site.persist(), code);
      assert.equal(site.origin.artifactRequests, requests);
      assert.ok(!(await site.isWhole()));
    }));

test("download: garbage that a power cut left in the partial file is thrown away", () =>
  Site.run(async (site) => {
    writeFileSync(site.partial, Buffer.concat([CONTENT.subarray(0, 1000), Buffer.alloc(5000)]));
    assert.equal(await site.persist(), "whole");
    writeFileSync(site.partial, Buffer.alloc(CONTENT.length + 1));
    assert.equal(await site.persist(), "whole");
    assert.ok(await site.isWhole());
  }));

test("download: a canceled one stops and keeps what it has", () =>
  Site.run(async (site) => {
    site.origin.fault = () => ({ kind: "slow", chunk: 1000, ms: 5 });
    const controller = new AbortController();
    const running = site.download(controller.signal);
    setTimeout(() => controller.abort(), 100);
    await assert.rejects(running, (error) => isMusterError(error));
    assert.ok(existsSync(site.partial));
  }));

test("download: whatever the server does, the store holds the right bytes or none", () =>
  Site.run(async (site) => {
    const fault: fc.Arbitrary<Fault | undefined> = fc.oneof(
      fc.constant(undefined),
      fc.record({ kind: fc.constantFrom("cut", "truncate", "flip"), at: fc.nat(400_000) }),
      fc.record({ kind: fc.constantFrom("ignore-range", "oversize", "wrong-range", "no-satisfiable-range") }),
      fc.record({ kind: fc.constant("status" as const), status: fc.constantFrom(404, 416, 429, 500) }),
    ) as fc.Arbitrary<Fault | undefined>;
    await fc.assert(
      fc.asyncProperty(fc.array(fault, { maxLength: 6 }), async (faults) => {
        await rm(site.store.pathOf(site.artifact.digest), { force: true });
        await rm(site.partial, { force: true });
        const queue = [...faults];
        site.origin.fault = () => queue.shift();
        for (let tries = 0; tries < 20; tries++) {
          await site.download().catch((error: unknown) => assert.ok(isMusterError(error)));
          if (existsSync(site.store.pathOf(site.artifact.digest))) break;
        }
        assert.ok(await site.isWhole());
      }),
      { numRuns: 40 },
    );
  }));
