import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { get, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { answerProblems } from "@muster/control-plane/api/problems";
import { ArtifactStore } from "@muster/control-plane/releases/artifact-store";
import { deviceReleaseRoutes } from "@muster/control-plane/releases/device-routes";
import {
  type PackagedRelease,
  packageRelease,
  readReleaseSpec,
} from "@muster/control-plane/releases/package";
import { ReleaseRegistry } from "@muster/control-plane/releases/registry";
import { openStores, type Stores } from "@muster/control-plane/storage/database";
import { initKeys, type OfflineKeys } from "@muster/control-plane/trust/offline-keys";
import { addTarget, buildRoot, signTargets } from "@muster/control-plane/trust/offline-signing";
import { type OnlineKeys, openOnlineKeys } from "@muster/control-plane/trust/online-keys";
import { TrustRepository } from "@muster/control-plane/trust/repository";
import { hexOf } from "@muster/shared/trust/digest";
import Fastify, { type FastifyInstance } from "fastify";

/** Releases and trust of a control plane on real files, and an operator with offline keys beside it. */
export class Workshop {
  now = Date.parse("2026-11-22T08:00:00Z");
  readonly dir: string;
  readonly stores: Stores;
  readonly online: OnlineKeys;
  readonly offline: OfflineKeys;
  readonly trust: TrustRepository;
  readonly artifacts: ArtifactStore;
  readonly releases: ReleaseRegistry;
  #app: FastifyInstance | undefined;

  private constructor(dir: string, stores: Stores, online: OnlineKeys, offline: OfflineKeys) {
    this.dir = dir;
    this.stores = stores;
    this.online = online;
    this.offline = offline;
    const clock = () => this.now;
    this.trust = new TrustRepository({ db: stores.control, keys: online, clock });
    this.artifacts = new ArtifactStore(join(dir, "artifacts"), { maxArtifactBytes: 1_000_000 });
    this.releases = new ReleaseRegistry({
      db: stores.control,
      trust: this.trust,
      artifacts: this.artifacts,
      clock,
    });
  }

  static async open(): Promise<Workshop> {
    const dir = await mkdtemp(join(tmpdir(), "muster-releases-"));
    const stores = await openStores(dir);
    const offline = await initKeys(join(dir, "offline"));
    const workshop = new Workshop(dir, stores, await openOnlineKeys(join(dir, "keys")), offline);
    await workshop.artifacts.open();
    return workshop;
  }

  async close(): Promise<void> {
    await this.#app?.close();
    await this.stores.close();
    await rm(this.dir, { recursive: true, force: true });
  }

  async initTrust(): Promise<string> {
    const { online } = await this.trust.view();
    const root = buildRoot(this.offline, online, 1, this.now);
    await this.trust.addRoot({ root, targets: signTargets(this.offline, 1, [], this.now) });
    return root;
  }

  /** Writes a spec with its files, as an operator keeps them in git. */
  async pack(version: string, sequence: number, content = version): Promise<PackagedRelease> {
    const folder = join(this.dir, `spec-${version}`);
    await mkdir(folder, { recursive: true });
    for (const name of ["model.onnx", "golden.json", "reference.json", "limits.json"])
      await writeFile(join(folder, name), `${name} ${content} ${"x".repeat(5000)}`);
    const spec = {
      schema: "muster.release-spec/1",
      name: "vibration",
      version,
      components: [
        {
          type: "model",
          name: "bearing",
          version,
          variants: [
            {
              id: "int8",
              precision: "int8",
              requires: { providers: ["cpu"] },
              model: "model.onnx",
              golden: "golden.json",
              reference: "reference.json",
            },
          ],
        },
        { type: "config", name: "limits", version, document: "limits.json" },
      ],
      probation: {
        minSeconds: 0,
        deadlineSeconds: 60,
        minInferences: 0,
        maxErrorRate: 0.1,
        maxP95Ms: 100,
        maxCrashes: 0,
      },
    };
    const file = join(folder, "release.json");
    await writeFile(file, JSON.stringify(spec));
    return await packageRelease(file, await readReleaseSpec(file), sequence);
  }

  async upload({ files }: PackagedRelease): Promise<void> {
    for (const { file, artifact } of files)
      await this.artifacts.put(hexOf(artifact.digest), createReadStream(file));
  }

  /** Targets in force and one entry more, signed by the operator. */
  async signFor({ target }: PackagedRelease): Promise<string> {
    const { targets } = await this.trust.view();
    return addTarget(this.offline, targets ?? "", target, this.now);
  }

  async release(version: string, sequence: number): Promise<PackagedRelease> {
    const packaged = await this.pack(version, sequence);
    await this.upload(packaged);
    await this.releases.create({ manifest: packaged.text, targets: await this.signFor(packaged) });
    return packaged;
  }

  /** Serves the device routes on a port of the system's choice; the client certificate is the listener's affair. */
  async listen(): Promise<number> {
    const app = Fastify({ forceCloseConnections: true });
    answerProblems(app);
    await app.register(deviceReleaseRoutes, {
      trust: this.trust,
      releases: this.releases,
      artifacts: this.artifacts,
    });
    await app.listen({ host: "127.0.0.1", port: 0 });
    this.#app = app;
    return (app.server.address() as AddressInfo).port;
  }
}

/** One request to a listener on loopback. */
export const request = (
  port: number,
  what: { path: string; method?: string; headers?: Record<string, string> },
): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, agent: false, ...what }, resolve).on("error", reject);
  });

export async function bodyOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

export const streamOf = (...chunks: string[]): Readable =>
  Readable.from(chunks.map((chunk) => Buffer.from(chunk)));
