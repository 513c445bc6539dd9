import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { measureOnce } from "@muster/agent/choice/measure-once";
import { Outbox } from "@muster/agent/outbox/outbox";
import { Shadowing } from "@muster/agent/shadow/shadowing";
import { openDatabase } from "@muster/agent/storage/database";
import { systemClock } from "@muster/agent/update/clock";
import { UpdateEngine, type UpdatePorts } from "@muster/agent/update/engine";
import type { HttpPort } from "@muster/agent/update/ports";
import { MusterError } from "@muster/shared/errors";
import type { OutboxRecord, UpdateBody } from "@muster/shared/protocol/messages";
import type { GoldenSet, ReferenceSet } from "@muster/shared/protocol/model-evidence";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type {
  Component,
  ModelVariant,
  ProbationRule,
  ReleaseManifest,
} from "@muster/shared/protocol/release";
import type { Serving } from "@muster/shared/protocol/serving/serving";
import type { ShadowReport } from "@muster/shared/protocol/shadow-report";
import type { DirectivePayload } from "@muster/shared/trust/directive";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import { Origin } from "./origin.ts";
import { type Fate, ScriptedInference } from "./scripted-inference.ts";

export const DEVICE = "dabcdefghijklmnopqrst";
export const DEVICE_KEY = signingKeyFrom(Buffer.alloc(32, 9));

const PROBATION: ProbationRule = {
  minSeconds: 0,
  deadlineSeconds: 3600,
  minInferences: 10,
  maxErrorRate: 0.1,
  maxP95Ms: 100,
  maxCrashes: 0,
};

/** HTTP as `DeviceHttp` gives it, without TLS. */
export const plainHttp = (base: () => string): HttpPort => ({
  request: ({ path, headers, signal }) =>
    new Promise((resolve, reject) => {
      const request = httpRequest(
        new URL(path, base()),
        { agent: false, ...(headers && { headers }), ...(signal && { signal }) },
        (body) => resolve({ status: body.statusCode ?? 0, headers: body.headers, body }),
      );
      request.on("error", (cause) => reject(new MusterError("request.unreachable", cause.message)));
      request.end();
    }),
});

const FAST = {
  backoffBaseMs: 5,
  backoffMaxMs: 20,
  probationSampleMs: 5,
  probationStoreMs: 20,
  watchMs: 20,
  diskReserveBytes: 0,
  rootRefreshMs: 0,
};

/** Ports of an engine on a real directory with a real database and outbox. */
export function portsOn(dataDir: string, url: () => string, over: Partial<UpdatePorts> = {}) {
  const database = openDatabase(join(dataDir, "agent.db"));
  const outbox = new Outbox(database, { limitBytes: 8 * 1024 ** 2, newId: () => randomUUID() });
  const inference = new ScriptedInference();
  const log = { info: () => undefined, warn: () => undefined };
  const facts = () => ({
    platform: "linux",
    arch: "x64",
    cpuModel: "test",
    cores: 2,
    memoryMiB: 1024,
    opset: 26,
    providers: ["cpu"],
  });
  const http = plainHttp(url);
  const { settings, ...others } = over;
  const shadow = new Shadowing({
    device: DEVICE,
    key: async () => DEVICE_KEY,
    clock: systemClock,
    availableBytes: () => 2 ** 30,
    settings: { reserveBytes: 2 ** 20, mostBytes: 2 ** 20, directory: dataDir, lookMs: 5 },
    log,
  });
  const measure = measureOnce(database, Date.now, { benchMs: 50 });
  const ports: UpdatePorts = {
    ...{ measure, runtimes: {}, shadow },
    ...{ device: DEVICE, dataDir, database, outbox, inference, log, facts, http, random: Math.random },
    ...others,
    settings: { ...FAST, ...settings },
  };
  return { ports, inference, outbox, close: () => void database.close() };
}

export interface ReleasePlan {
  fate?: Fate;
  /** Bytes of the model file beyond its fate. */
  padding?: number;
  /** A real model with its golden set, in place of a fate. */
  real?: { model: Uint8Array; golden: GoldenSet };
  /** Variants of the model in place of the one of a fate. */
  variants?: VariantPlan[];
  serving?: Serving;
  config?: string;
  probation?: Partial<ProbationRule>;
  providers?: string[];
  modelless?: boolean;
}

export interface VariantPlan {
  id: string;
  providers?: string[];
  model: Uint8Array;
  golden: GoldenSet;
  accuracy?: number;
}

/** A device with its origin: one per test. */
export class World {
  readonly origin = new Origin();
  readonly #root: string;
  readonly dataDir: string;
  #over: Partial<UpdatePorts> = {};
  engine!: UpdateEngine;
  inference!: ScriptedInference;
  outbox!: Outbox;
  #close: () => void = () => undefined;
  #generation = 0;

  private constructor(root: string) {
    this.#root = root;
    this.dataDir = join(root, "data");
    mkdirSync(join(this.dataDir, "tuf"), { recursive: true });
  }

  static async create(over: Partial<UpdatePorts> = {}, dataDir?: string): Promise<World> {
    const world = new World(await mkdtemp(join(tmpdir(), "muster-update-")));
    if (dataDir) Object.assign(world, { dataDir });
    mkdirSync(join(world.dataDir, "tuf"), { recursive: true });
    world.#over = over;
    await world.origin.start();
    writeFileSync(join(world.dataDir, "tuf", "root.json"), world.origin.root());
    await world.boot();
    return world;
  }

  /** Starts the agent; what was in memory before is gone. */
  async boot(prepare: (inference: ScriptedInference) => void = () => undefined): Promise<void> {
    const { ports, inference, outbox, close } = portsOn(this.dataDir, () => this.origin.url, this.#over);
    this.engine = new UpdateEngine(ports);
    this.inference = inference;
    this.outbox = outbox;
    this.#close = close;
    prepare(inference);
    await this.engine.start();
  }

  async shutdown(): Promise<void> {
    await this.engine.stop();
    this.#close();
  }

  async reboot(prepare?: (inference: ScriptedInference) => void): Promise<void> {
    await this.shutdown();
    await this.boot(prepare);
  }

  async destroy(): Promise<void> {
    await this.shutdown();
    await this.origin.stop();
    await rm(this.#root, { recursive: true, force: true });
  }

  release(version: string, sequence: number, plan: ReleasePlan = {}): ReleaseRef {
    return this.origin.publish(this.manifest(version, sequence, plan));
  }

  manifest(version: string, sequence: number, plan: ReleasePlan = {}): ReleaseManifest {
    const { origin } = this;
    const model = Buffer.from(
      plan.real?.model ??
        `${JSON.stringify(plan.fate ?? {})}\n${version}\n${"x".repeat(plan.padding ?? 1000)}`,
    );
    const golden = plan.real ? JSON.stringify(plan.real.golden) : `{"of":"${version}"}`;
    const components: Component[] = plan.modelless
      ? []
      : [
          {
            type: "model",
            name: "eyes",
            version,
            ...(plan.serving && { serving: plan.serving }),
            variants: plan.variants?.map((variant) => this.#variant(variant)) ?? [
              {
                id: "cpu-int8",
                precision: "int8",
                requires: { providers: plan.providers ?? ["cpu"] },
                model: { name: "eyes.onnx", ...origin.addArtifact(model) },
                golden: { name: "golden.json", ...origin.addArtifact(Buffer.from(golden)) },
                reference: { name: "ref.json", ...origin.addArtifact(Buffer.from(`{"ref":"${version}"}`)) },
              },
            ],
          },
        ];
    if (plan.config !== undefined)
      components.push({
        type: "config",
        name: "limits",
        version,
        document: { name: "limits.json", ...origin.addArtifact(Buffer.from(plan.config)) },
      });
    return {
      schema: "muster.release/1",
      name: "inspection",
      version,
      sequence,
      components,
      probation: { ...PROBATION, ...plan.probation },
    };
  }

  #variant({ id, providers = ["cpu"], model, golden, accuracy = 1 }: VariantPlan): ModelVariant {
    const { origin } = this;
    const reference: ReferenceSet = { schema: "muster.reference/1", samples: 1, accuracy, features: {} };
    const json = (value: object) => origin.addArtifact(Buffer.from(JSON.stringify(value)));
    return {
      id,
      precision: "int8",
      requires: { providers },
      model: { name: "eyes.onnx", ...origin.addArtifact(Buffer.from(model)) },
      golden: { name: "golden.json", ...json(golden) },
      reference: { name: "ref.json", ...json(reference) },
    };
  }

  /** Offers the next directive. */
  async order(release: ReleaseRef | null, over: Partial<DirectivePayload> = {}): Promise<number> {
    this.#generation += 1;
    await this.engine.offer(this.origin.directive(DEVICE, this.#generation, release, over), "mqtt");
    return this.#generation;
  }

  /** Offers the next directive and waits until it has ended. */
  async install(release: ReleaseRef | null) {
    const generation = await this.order(release);
    return this.ended(generation);
  }

  async ended(generation: number) {
    await this.until(() => {
      const { update, lastResult } = this.engine.state();
      return update === null && lastResult?.generation === generation;
    });
    return this.engine.state().lastResult;
  }

  async until(condition: () => boolean): Promise<void> {
    for (let waited = 0; waited < 20_000; waited += 5) {
      if (condition()) return;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error(`it did not come: ${JSON.stringify(this.engine.state())}`);
  }

  /** The release serves, by runner, journal and symlink. */
  async serves(version: string | null): Promise<void> {
    await this.until(() => (this.engine.state().running?.version ?? null) === version);
  }

  /** Version that the manifest behind `current` names. */
  current(): string | undefined {
    try {
      const text = readFileSync(join(this.dataDir, "current", "manifest.json"), "utf8");
      return (JSON.parse(text) as ReleaseManifest).version;
    } catch {
      return undefined;
    }
  }

  updates(): UpdateBody[] {
    return this.#records().flatMap((record) => (record.kind === "update" ? [record.body] : []));
  }

  /** What was told as an event of this code. */
  messages(code: string): string[] {
    return this.#records().flatMap((record) =>
      record.kind === "event" && record.body.code === code ? [record.body.message] : [],
    );
  }

  /** What was told of candidates in the shadow. */
  shadows(): ShadowReport[] {
    return this.#records().flatMap((record) => (record.kind === "shadow" ? [record.body] : []));
  }

  events(): string[] {
    return this.#records().flatMap((record) => (record.kind === "event" ? [record.body.code] : []));
  }

  #records(): OutboxRecord[] {
    return this.outbox.read(0, 1000, 2 ** 20).map(({ text }) => JSON.parse(text) as OutboxRecord);
  }
}
