import { isMusterError } from "@muster/shared/errors";
import type { HardwareFacts } from "@muster/shared/protocol/hardware";
import { ReleaseManifest } from "@muster/shared/protocol/release";
import { parseJson } from "@muster/shared/protocol/validate";
import {
  choiceKey,
  type InstalledRelease,
  type InstalledReleases,
  modelsIn,
  planRelease,
} from "./installed.ts";
import type { Journal } from "./journal.ts";
import { emptyJournal } from "./journal-state.ts";
import type { Clock } from "./ports.ts";
import type { ReleaseDirectories } from "./release-dir.ts";
import { choiceOf, pickedModel } from "./release-files.ts";

interface AdoptContext {
  journal: Journal;
  directories: ReleaseDirectories;
  releases: InstalledReleases;
  facts: () => HardwareFacts;
  clock: Clock;
  tell: (failure: { code: string; message: string }) => void;
}

/**
 * When the database was lost but the folder of a release is still there, the box goes on running it: a camera
 * that sees nothing until the network is back helps nobody. The manifest proves itself by its digest.
 */
export async function adoptRunning(context: AdoptContext): Promise<void> {
  const { journal, directories, releases, facts, clock } = context;
  if (!journal.isNew) return;
  const found = await directories.currentManifest();
  if (!found) return;
  try {
    const manifest = parseJson(ReleaseManifest, found.text, "release.manifest-invalid");
    const planned = planRelease({ manifest, text: found.text }, facts());
    const release = await ofWhatIsThere(planned, directories);
    if (directories.pathOf(release.digest) !== found.folder) return;
    const { name, version, sequence } = manifest;
    const ref = { name, version, sequence, digest: release.digest };
    releases.store(release, clock.now());
    journal.adopt({ ...emptyJournal, committed: ref, active: ref });
    context.tell({
      code: "storage.broken",
      message: `The update journal was lost; ${name} ${version} was found in place and goes on.`,
    });
  } catch (error) {
    if (!isMusterError(error)) throw error;
  }
}

/** The choice was lost with the database: of the candidates the first that was kept on disk goes on. */
async function ofWhatIsThere(
  release: InstalledRelease,
  directories: ReleaseDirectories,
): Promise<InstalledRelease> {
  const choices = { ...release.choices };
  for (const component of modelsIn(release.manifest)) {
    const choice = choiceOf(release, component);
    const there = [];
    for (const candidate of choice.candidates) {
      const { model } = pickedModel(component, candidate).files;
      if (await directories.hasFile(release.digest, model)) there.push(candidate);
    }
    const [chosen, ...others] = there;
    if (!chosen) continue;
    const ladder = [
      ...others.map((other) => ({ ...other, fallback: true })),
      ...choice.ladder.filter(({ variant }) => variant === chosen.variant),
    ];
    choices[choiceKey(component)] = { ...choice, candidates: there, chosen, ladder };
  }
  return { ...release, choices };
}
