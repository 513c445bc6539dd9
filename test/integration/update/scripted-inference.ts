import { readFile } from "node:fs/promises";
import type { Deployment } from "@muster/agent/inference/deployment";
import type { ShadowRun } from "@muster/agent/inference/shadow";
import { emptyShadowTally } from "@muster/agent/shadow/tally";
import type { InferencePort, Observed } from "@muster/agent/update/ports";
import { type ErrorCode, MusterError } from "@muster/shared/errors";
import type { RunningComponent } from "@muster/shared/protocol/state";
import { sha256 } from "@muster/shared/trust/digest";

/** What a model file of these tests says about its own fate. */
export interface Fate {
  prepare?: ErrorCode;
  serve?: ErrorCode;
  observed?: Partial<Observed>;
  /** What it says of a hundred inferences in the shadow, and how it ends there. */
  shadow?: { agreed?: number; crash?: ErrorCode };
}

interface Prepared {
  deployment: Deployment;
  fate: Fate;
}

const QUIET: Observed = { inferences: 100, failures: 0, crashes: 0, p95Ms: 5 };

/** A real model has no fate: all goes well with it. */
const fateOf = (content: Buffer): Fate =>
  content[0] === 0x7b ? (JSON.parse(content.toString().split("\n")[0] ?? "{}") as Fate) : {};

/** The inference port with outcomes that the model files themselves prescribe: JSON and a line of padding. */
export class ScriptedInference implements InferencePort {
  #served: Prepared | undefined;
  #prepared = 0;
  state: "idle" | "starting" | "ready" | "failed" = "idle";
  /** Called at each call, to stop the world there. */
  onCall: (what: string) => void = () => undefined;
  /** Version of what was served after each change. */
  readonly history: (string | null)[] = [];
  /** What is served is not the first choice. */
  degraded: RunningComponent["degraded"];
  /** Overrides fates by release version, for what goes wrong on the device and not in the file. */
  broken = new Map<string, ErrorCode>();

  async prepare(deployment: Deployment, _lower?: boolean, _signal?: AbortSignal): Promise<Prepared> {
    this.onCall("prepare");
    const broken = this.broken.get(deployment.release.version);
    if (broken) throw new MusterError(broken);
    let fate: Fate = {};
    for (const model of deployment.models) {
      const content = await readFile(model.modelPath);
      if (sha256(content) !== model.digest) throw new MusterError("artifact.corrupted");
      JSON.parse(await readFile(model.goldenPath, "utf8"));
      fate = fateOf(content);
    }
    if (fate.prepare) throw new MusterError(fate.prepare);
    this.#prepared += 1;
    return { deployment, fate };
  }

  async serve(prepared: Prepared): Promise<void> {
    this.onCall("serve");
    if (prepared.fate.serve) throw new MusterError(prepared.fate.serve);
    this.#prepared -= 1;
    this.#served = prepared;
    this.state = "ready";
    this.history.push(prepared.deployment.release.version);
    this.onCall("served");
  }

  async shadow(prepared: Prepared): Promise<ShadowRun> {
    this.onCall("shadow");
    const { agreed = 100, crash } = prepared.fate.shadow ?? {};
    const compared = agreed < 0 ? {} : { compared: 100, agreed };
    return {
      tallies: () =>
        prepared.deployment.models.map(({ name }) => ({ ...emptyShadowTally(name), ...compared })),
      failure: () => (crash ? new MusterError(crash) : undefined),
      stop: async () => this.onCall("shadow-over"),
    };
  }

  async discard(): Promise<void> {
    this.#prepared -= 1;
  }

  async idle(): Promise<void> {
    this.onCall("idle");
    this.#served = undefined;
    this.state = "idle";
    this.history.push(null);
  }

  /** Candidates that were neither served nor discarded. */
  get leaked(): number {
    return this.#prepared;
  }

  status() {
    const { deployment } = this.#served ?? {};
    const components = (deployment?.models ?? []).map(({ name, version, digest, variant, provider }) => ({
      type: "model" as const,
      ...{ name, version, digest, variant, provider },
      ...(this.degraded && { degraded: this.degraded }),
    }));
    const release = deployment?.release ?? null;
    return { state: this.state, release, retrying: this.state === "starting", components };
  }

  observed(): Observed {
    this.onCall("observed");
    return { ...QUIET, ...this.#served?.fate.observed };
  }
}
