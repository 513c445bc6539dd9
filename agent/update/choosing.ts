import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ModelComponent } from "@muster/shared/protocol/release";
import { needsMeasuring } from "@muster/shared/protocol/variants";
import { choiceSentence, chooseMeasured } from "../choice/choose-measured.ts";
import type { Measure } from "../choice/measure-once.ts";
import type { ExternalRuntimes } from "../external/runtime.ts";
import { candidatesOf } from "./deploy.ts";
import {
  choiceKey,
  type InstalledRelease,
  type InstalledReleases,
  type ModelChoice,
  modelsIn,
} from "./installed.ts";
import type { Clock } from "./ports.ts";
import type { ReleaseDirectories } from "./release-dir.ts";
import { choiceOf } from "./release-files.ts";

export interface ChoosingContext {
  releases: InstalledReleases;
  directories: ReleaseDirectories;
  measure: Measure;
  runtimes: ExternalRuntimes;
  clock: Clock;
  tell: (event: { code: string; message: string }) => void;
}

/**
 * Measures what is to be chosen by measurement and stores each choice. What was chosen before stays: a restart in
 * between costs nothing.
 * @throws MusterError as `chooseMeasured`, and as materialising the release
 */
export async function chooseVariants(
  context: ChoosingContext,
  { digest }: ReleaseRef,
  signal: AbortSignal,
): Promise<void> {
  const { releases, directories, clock } = context;
  let release = releases.get(digest);
  const open = modelsIn(release.manifest).filter(
    (component) => needsMeasuring(component.serving?.objective) && !choiceOf(release, component).report,
  );
  if (open.length === 0) return;
  await directories.materialise(release);
  for (const component of open) {
    const choice = await chooseModel(context, component, release, signal);
    release = { ...release, choices: { ...release.choices, [choiceKey(component)]: choice } };
    releases.store(release, clock.now());
  }
}

async function chooseModel(
  { directories, measure, runtimes, tell }: ChoosingContext,
  component: ModelComponent,
  release: InstalledRelease,
  signal: AbortSignal,
): Promise<ModelChoice> {
  const before = choiceOf(release, component);
  const objective = component.serving?.objective ?? { prefer: "order" };
  const folder = directories.pathOf(release.digest);
  const candidates = candidatesOf(component, release, { folder, runtimes });
  const { winner, standby, report } = await chooseMeasured(candidates, objective, measure, signal);
  tell({ code: "model.chosen", message: choiceSentence(candidates[winner]!, report) });
  return {
    ...before,
    chosen: before.candidates[winner]!,
    ladder: standby.map((index) => ({ ...before.candidates[index]!, fallback: true })),
    report,
  };
}
