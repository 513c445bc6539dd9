import { availableParallelism, cpus, totalmem } from "node:os";
import { HardwareFacts } from "@muster/shared/protocol/hardware";
import { Version } from "@muster/shared/protocol/primitives";
import { validate } from "@muster/shared/protocol/validate";
import { Type } from "typebox";
import type { RuntimeFacts } from "../inference/detect-runtime.ts";
import { readIfThere, writeAtomically } from "../storage/files.ts";

const MIB = 1024 * 1024;

const FactsFile = Type.Object({ boot: Type.String(), agentVersion: Version, facts: HardwareFacts });

export interface FactsOptions {
  /** Where the facts are kept. */
  file: string;
  boot: string;
  agentVersion: string;
  /** Asks the runtime itself, in child processes: costs seconds on a small box. */
  detectRuntime: () => Promise<RuntimeFacts>;
}

/**
 * What this box is. The runtime is asked once per boot and version; until it has answered, what it said last time
 * counts, so that inference does not wait for it after a restart.
 */
export class Facts {
  readonly #options: FactsOptions;
  #facts: HardwareFacts;

  private constructor(options: FactsOptions, facts: HardwareFacts) {
    this.#options = options;
    this.#facts = facts;
  }

  /** @param onFresh told when a later look gave other facts than the ones at hand */
  static async open(options: FactsOptions, onFresh: () => void): Promise<Facts> {
    const known = await readFacts(options.file);
    if (!known) {
      const facts = new Facts(options, await look(options));
      await facts.#keep();
      return facts;
    }
    const facts = new Facts(options, known.facts);
    if (known.boot !== options.boot || known.agentVersion !== options.agentVersion) {
      void facts.#lookAgain(onFresh);
    }
    return facts;
  }

  now(): HardwareFacts {
    return this.#facts;
  }

  /** A look that ended badly, e.g. for want of memory, says nothing about the box: the next start looks again. */
  async #lookAgain(onFresh: () => void): Promise<void> {
    const fresh = await look(this.#options).catch(() => undefined);
    if (!fresh || fresh.providers.length === 0) return;
    const changed = JSON.stringify(fresh) !== JSON.stringify(this.#facts);
    this.#facts = fresh;
    await this.#keep();
    if (changed) onFresh();
  }

  /** A file that cannot be written, or is not because no provider worked, costs the next start a look, no more. */
  async #keep(): Promise<void> {
    const { file, boot, agentVersion } = this.#options;
    if (this.#facts.providers.length === 0) return;
    const content = JSON.stringify({ boot, agentVersion, facts: this.#facts });
    await writeAtomically(file, content, 0o600).catch(() => undefined);
  }
}

async function readFacts(file: string) {
  try {
    const text = await readIfThere(file);
    return text === undefined ? undefined : validate(FactsFile, JSON.parse(text), "settings.invalid");
  } catch {
    // A broken cache is no cache.
    return undefined;
  }
}

async function look({ detectRuntime }: FactsOptions): Promise<HardwareFacts> {
  const { providers, opset } = await detectRuntime();
  return {
    platform: process.platform,
    arch: process.arch,
    cpuModel: (await cpuModel()).slice(0, 128),
    cores: availableParallelism(),
    memoryMiB: Math.floor(totalmem() / MIB),
    providers: providers.slice(0, 16),
    opset,
  };
}

/** Many ARM kernels do not tell the model; only there the large library is worth its memory. */
async function cpuModel(): Promise<string> {
  const model = cpus()[0]?.model.trim() ?? "";
  if (model !== "" && model !== "unknown") return model;
  try {
    const { default: systemInformation } = await import("systeminformation");
    const { manufacturer, brand } = await systemInformation.cpu();
    return `${manufacturer} ${brand}`.trim() || process.arch;
  } catch {
    return process.arch;
  }
}
