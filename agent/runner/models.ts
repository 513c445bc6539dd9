import { MusterError } from "@muster/shared/errors";
import type { LoadedModel } from "./model.ts";

/** The models of one runner in the order of the release. A name may stand there with several versions. */
export class Models {
  readonly all: readonly LoadedModel[];
  readonly #byName = new Map<string, LoadedModel[]>();

  /** @throws MusterError `model.load-failed` for two of the same name and version */
  constructor(all: readonly LoadedModel[]) {
    this.all = all;
    for (const model of all) {
      const { name, version } = model.deployment;
      if (this.find(name, version))
        throw new MusterError("model.load-failed", `The release has two models ${name} ${version}.`);
      this.#byName.set(name, [...(this.#byName.get(name) ?? []), model]);
    }
  }

  /** The first of this name where no version is asked for. */
  find(name: string, version?: string): LoadedModel | undefined {
    const versions = this.#byName.get(name);
    return version === undefined
      ? versions?.[0]
      : versions?.find(({ deployment }) => deployment.version === version);
  }

  /** Versions of this name, the one that answers without a version first. */
  versionsOf(name: string): string[] {
    return this.#byName.get(name)?.map(({ deployment }) => deployment.version) ?? [];
  }
}
