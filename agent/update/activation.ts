import { join } from "node:path";
import { isMusterError } from "@muster/shared/errors";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { RunningComponent } from "@muster/shared/protocol/state";
import { digestOfFile } from "./durable.ts";
import { chosenModels, type InstalledRelease, type InstalledReleases } from "./installed.ts";
import type { ProbationProgress } from "./journal-state.ts";
import type { Deployment, InferencePort } from "./ports.ts";
import type { ReleaseDirectories } from "./release-dir.ts";

export interface ActivationPorts {
  inference: InferencePort;
  releases: InstalledReleases;
  directories: ReleaseDirectories;
  /** Makes damaged artifacts of a release whole again, from the server if need be. */
  repair: (release: InstalledRelease, signal: AbortSignal) => Promise<void>;
}

/** What was put in place, with its config documents as they are on disk. */
interface InPlace {
  digest: string;
  configs: RunningComponent[];
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

  /** Loads a release beside the one that serves and has it prove its golden outputs. */
  async prepare(release: ReleaseRef): Promise<void> {
    await this.discardAllBut(release.digest);
    if (this.#candidate) return;
    const installed = this.#ports.releases.get(release.digest);
    await this.#ports.directories.materialise(installed);
    const deployment = this.#deploymentOf(release, installed);
    if (deployment.models.length === 0) return;
    this.#candidate = { digest: release.digest, prepared: await this.#ports.inference.prepare(deployment) };
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

  /** Prepares and serves; a release whose files are damaged is repaired once. */
  async run(release: ReleaseRef | null, signal: AbortSignal): Promise<void> {
    if (this.proves(release)) return;
    if (!release) return this.serve(null);
    try {
      await this.prepare(release);
    } catch (error) {
      if (!isMusterError(error, "artifact.corrupted")) throw error;
      const installed = this.#ports.releases.get(release.digest);
      await this.#ports.repair(installed, signal);
      await this.prepare(release);
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

  /** True when it is served or the runner is on its way to it. */
  isUnderWay(release: ReleaseRef | null): boolean {
    const { state, release: served } = this.#ports.inference.status();
    return this.proves(release) || (state === "starting" && served?.digest === release?.digest);
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
    return [...this.#ports.inference.status().components, ...(this.#inPlace?.configs ?? [])];
  }

  #deploymentOf(release: ReleaseRef, installed: InstalledRelease): Deployment {
    const folder = this.#ports.directories.pathOf(release.digest);
    const models = chosenModels(installed).map(({ files, ...model }) => ({
      ...model,
      digest: files.model.artifact.digest,
      modelPath: join(folder, files.model.path),
      goldenPath: join(folder, files.golden.path),
      referencePath: join(folder, files.reference.path),
    }));
    return { release, models };
  }

  async #inspect(release: ReleaseRef): Promise<InPlace> {
    const { manifest } = this.#ports.releases.get(release.digest);
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
      hasModels: configs.length < manifest.components.length,
    };
  }
}
