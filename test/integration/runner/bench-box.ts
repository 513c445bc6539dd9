import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Deployment, ModelDeployment } from "@muster/agent/inference/deployment";
import { Inference } from "@muster/agent/inference/inference";
import type { InferencePorts, ResultRecord } from "@muster/agent/inference/ports";
import type { EventBody } from "@muster/shared/protocol/messages";
import type { GoldenSet } from "@muster/shared/protocol/model-evidence";
import { sha256 } from "@muster/shared/trust/digest";

type Case = GoldenSet["cases"][number];

/** A directory for models, an `Inference` on a free port and a socket, and all that it told. */
export class BenchBox {
  readonly directory: string;
  readonly inference: Inference;
  readonly results: ResultRecord[] = [];
  readonly events: EventBody[] = [];
  readonly lines: string[] = [];
  changes = 0;
  /** Thrown by the store of results while it is set. */
  storeFailure: Error | undefined;
  #sequence = 0;

  private constructor(directory: string, overrides: Partial<InferencePorts>) {
    this.directory = directory;
    const log = (_fields: object, line: string) => void this.lines.push(line);
    this.inference = new Inference({
      version: "1.2.3",
      log: { info: log, warn: log, error: log },
      onResults: (batch) => {
        if (this.storeFailure) throw this.storeFailure;
        this.results.push(...batch);
      },
      onEvent: (event) => void this.events.push(event),
      onChange: () => {
        this.changes += 1;
      },
      ...overrides,
      settings: { port: 0, socketPath: join(directory, "i.sock"), drainSeconds: 10, ...overrides.settings },
    });
  }

  static async create(overrides: Partial<InferencePorts> = {}): Promise<BenchBox> {
    const directory = await mkdtemp(join(tmpdir(), "muster-runner-"));
    try {
      return new BenchBox(directory, overrides);
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.inference.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  /** Writes a model with its golden cases and describes it as a release would. */
  async model(
    name: string,
    bytes: Uint8Array,
    cases: Case[],
    more: Partial<ModelDeployment> & { minAgreement?: number; golden?: string } = {},
  ): Promise<ModelDeployment> {
    const { minAgreement = 1, golden, ...rest } = more;
    this.#sequence += 1;
    const modelPath = join(this.directory, `${name}-${this.#sequence}.onnx`);
    const goldenPath = join(this.directory, `${name}-${this.#sequence}.golden.json`);
    await writeFile(modelPath, bytes);
    const set = {
      schema: "muster.golden/1",
      tolerance: { absolute: 1e-4, relative: 1e-3 },
      minAgreement,
      cases,
    };
    await writeFile(goldenPath, golden ?? JSON.stringify(set));
    return {
      name,
      version: "1.0.0",
      variant: "cpu-fp32",
      digest: sha256(bytes),
      provider: "cpu",
      fallback: false,
      modelPath,
      goldenPath,
      referencePath: `${modelPath}.reference.json`,
      ...rest,
    };
  }

  deployment(models: ModelDeployment[], sequence = 1): Deployment {
    const release = {
      name: "line",
      version: `${sequence}.0.0`,
      sequence,
      digest: sha256(`release ${sequence}`),
    };
    return { release, models };
  }

  async serve(models: ModelDeployment[], sequence = 1): Promise<void> {
    await this.inference.serve(await this.inference.prepare(this.deployment(models, sequence)));
  }

  get url(): string {
    const { url } = this.inference.status().endpoint;
    if (url === null) throw new Error("there is no TCP endpoint");
    return url;
  }
}

/** Resolves when `condition` holds; the limit only ends a test that would hang. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let tries = 0; tries < 1200; tries++) {
    if (await condition()) return;
    await sleep(25);
  }
  throw new Error(`gave up waiting until ${what}`);
}

/** False also for a process that has ended and that nobody has asked about yet. */
export function isRunning(pid: number): boolean {
  if (!existsSync(`/proc/${pid}`)) return false;
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

const tensor = (name: string, shape: number[], data: number[], datatype = "FP32") => ({
  name,
  datatype,
  shape,
  data,
});

/** Golden cases of the fixture models. */
export const GOLDEN = {
  classifier: [
    {
      inputs: [tensor("x", [1, 4], [0, 0, 0, 0])],
      outputs: [tensor("scores", [1, 4], [0.25, 0.25, 0.25, 0.25])],
    },
    {
      inputs: [tensor("x", [1, 4], [10, 0, 0, 0])],
      outputs: [tensor("scores", [1, 4], [0.99986, 4.54e-5, 4.54e-5, 4.54e-5])],
    },
  ],
  /** A classifier with gain 0 knows nothing. */
  flat: [
    {
      inputs: [tensor("x", [1, 4], [1, 2, 3, 4])],
      outputs: [tensor("scores", [1, 4], [0.25, 0.25, 0.25, 0.25])],
    },
  ],
  halved: [{ inputs: [tensor("x", [1], [1])], outputs: [tensor("y", [1], [1], "FP16")] }],
  arithmetic: [
    {
      inputs: [tensor("a", [2], [1, 2]), tensor("b", [2], [4, 8])],
      outputs: [tensor("sum", [2], [5, 10]), tensor("ratio", [2], [0.25, 0.25])],
    },
  ],
  trap: [
    {
      inputs: [tensor("a", [1], [7], "INT32"), tensor("b", [1], [2], "INT32")],
      outputs: [tensor("quotient", [1], [3], "INT32")],
    },
  ],
  slow: [{ inputs: [tensor("x", [1, 1], [1])], outputs: [tensor("y", [1, 1], [1 / 512])] }],
  identity: (datatype: string, shape: number[], data: number[]) => [
    { inputs: [tensor("x", shape, data, datatype)], outputs: [tensor("y", shape, data, datatype)] },
  ],
} satisfies Record<string, Case[] | ((datatype: string, shape: number[], data: number[]) => Case[])>;
