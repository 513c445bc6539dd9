import { join } from "node:path";
import { isMusterError } from "@muster/shared/errors";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { RunningComponent } from "@muster/shared/protocol/state";
import type { ExternalRuntimes } from "../external/runtime.ts";
import type { Deployment } from "../inference/deployment.ts";
import { type DeployContext, deploymentOf } from "./deploy.ts";
import { digestOfFile } from "./durable.ts";
import { choiceKey, type InstalledRelease, type InstalledReleases } from "./installed.ts";
import type { ProbationProgress } from "./journal-state.ts";
import type { InferencePort } from "./ports.ts";
import type { ReleaseDirectories } from "./release-dir.ts";

export interface ActivationPorts {
  inference: InferencePort;
  releases: InstalledReleases;
  directories: ReleaseDirectories;
  /** Servers of this box that stand for providers. */
  runtimes: ExternalRuntimes;
  /** The release to go back to when this one cannot be kept running; null for none. */
  previousOf: (release: ReleaseRef) => ReleaseRef | null;
  /** Makes damaged artifacts of a release whole again, from the server if need be. */
  repair: (release: InstalledRelease, signal: AbortSignal) => Promise<void>;
}

/** What was put in place, with its config documents as they are on disk. */
interface InPlace {
  digest: string;
  configs: RunningComponent[];
  choices: InstalledRelease["choices"];
  hasModels: boolean;
}

/** Makes the inference port run what the journal says; all of it can be repeated. */
export class Activation {
  readonly #ports: ActivationPorts;
  #candidate: { digest: string; prepared: object } | undefined;
  #inPlace: InPlace | undefined;
  #probationBase: ProbationProgress | undefined;

  constructor(ports: ActivationPorts) {
    this.#ports = ports;
  }

  /**
   * Loads a release beside the one that serves and has it prove its golden outputs.
   * @param lower what its models fall back to will do: for one that was proven before and has to run now
   * @param signal ends the attempt: what loads for minutes must not keep an agent that was told to end
   */
  async prepare(release: ReleaseRef, lower = false, signal?: AbortSignal): Promise<void> {
    await this.discardAllBut(release.digest);
    if (this.#candidate) return;
    const installed = this.#ports.releases.get(release.digest);
    await this.#ports.directories.materialise(installed);
    const deployment = await this.#deploymentOf(release, installed);
    if (deployment.models.length === 0) return;
    const prepared = await this.#ports.inference.prepare(deployment, lower, signal);
    this.#candidate = { digest: release.digest, prepared };
  }

  /** The candidate that was prepared of this release; undefined for one without models. */
  candidateOf(release: ReleaseRef): object | undefined {
    return this.#candidate?.digest === release.digest ? this.#candidate.prepared : undefined;
  }

  /** Frees a candidate that is not wanted any more. */
  async discardAllBut(digest: string | undefined): Promise<void> {
    if (!this.#candidate || this.#candidate.digest === digest) return;
    const { prepared } = this.#candidate;
    this.#candidate = undefined;
    await this.#ports.inference.discard(prepared);
  }

  /** Gives the endpoint to a prepared release, or to nothing. */
  async serve(release: ReleaseRef | null): Promise<void> {
    const { inference } = this.#ports;
    const candidate = this.#candidate;
    this.#candidate = undefined;
    this.#probationBase = undefined;
    if (candidate && candidate.digest === release?.digest)
      try {
        await inference.serve(candidate.prepared);
      } catch (error) {
        await inference.discard(candidate.prepared);
        throw error;
      }
    else await inference.idle();
    this.#inPlace = release ? await this.#inspect(release) : undefined;
  }

  /** Prepares and serves; a release whose files are damaged is repaired once. @param lower as for `prepare` */
  async run(release: ReleaseRef | null, signal: AbortSignal, lower: boolean): Promise<void> {
    if (this.proves(release)) return;
    if (!release) return this.serve(null);
    try {
      await this.prepare(release, lower);
    } catch (error) {
      if (!isMusterError(error, "artifact.corrupted")) throw error;
      const installed = this.#ports.releases.get(release.digest);
      await this.#ports.repair(installed, signal);
      await this.prepare(release, lower);
    }
    await this.serve(release);
  }

  /** True when the runner has proven that it serves exactly this. */
  proves(release: ReleaseRef | null): boolean {
    const { state, release: served } = this.#ports.inference.status();
    if (!release) return state === "idle";
    if (this.#inPlace?.digest !== release.digest) return false;
    return this.#inPlace.hasModels
      ? state === "ready" && served?.digest === release.digest
      : state === "idle";
  }

  /** True when every model of it is the first choice for this device, too: nothing had to fall back. */
  provesWhole(release: ReleaseRef | null): boolean {
    const { components } = this.#ports.inference.status();
    return this.proves(release) && components.every(({ degraded }) => degraded === undefined);
  }

  /** True when it is served or the inference port will bring that about by itself. */
  isUnderWay(release: ReleaseRef | null): boolean {
    const { state, retrying, release: served } = this.#ports.inference.status();
    const returns = state !== "ready" && retrying && served?.digest === release?.digest;
    return this.proves(release) || returns;
  }

  /**
   * What was counted on probation before what is served was served. Counts stored since then are in those of the
   * inference port, and must not count twice when the watch begins again.
   */
  probationBase(stored: ProbationProgress): ProbationProgress {
    this.#probationBase ??= stored;
    return { ...this.#probationBase, elapsedMs: stored.elapsedMs };
  }

  /** Everything that runs: models as the runner reports them, documents as they are on disk. */
  components(): RunningComponent[] {
    const { components } = this.#ports.inference.status();
    const choices = this.#inPlace?.choices ?? {};
    const models = components.map((component) => {
      const { chosen, report } = choices[choiceKey(component)] ?? {};
      const isChosen = chosen?.variant === component.variant && chosen?.provider === component.provider;
      return report && isChosen ? { ...component, choice: report } : component;
    });
    return [...models, ...(this.#inPlace?.configs ?? [])];
  }

  async #deploymentOf(release: ReleaseRef, installed: InstalledRelease): Promise<Deployment> {
    const { releases, directories, runtimes, previousOf } = this.#ports;
    const at = (digest: string): DeployContext => ({ folder: directories.pathOf(digest), runtimes });
    const deployment = deploymentOf(release, installed, at(release.digest));
    const before = previousOf(release);
    const kept = before && releases.find(before.digest);
    if (!before || !kept || !(await directories.holds(kept))) return deployment;
    return { ...deployment, previous: deploymentOf(before, kept, at(before.digest)) };
  }

  async #inspect(release: ReleaseRef): Promise<InPlace> {
    const { manifest, choices } = this.#ports.releases.get(release.digest);
    const folder = this.#ports.directories.pathOf(release.digest);
    const configs: RunningComponent[] = [];
    for (const component of manifest.components)
      if (component.type === "config") {
        const { type, name, version } = component;
        const digest = await digestOfFile(join(folder, "config", `${name}.json`));
        configs.push({ type, name, version, digest });
      }
    return {
      digest: release.digest,
      configs,
      choices,
      hasModels: configs.length < manifest.components.length,
    };
  }
}
