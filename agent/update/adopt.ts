import { isMusterError } from "@muster/shared/errors";
import type { HardwareFacts } from "@muster/shared/protocol/hardware";
import { ReleaseManifest } from "@muster/shared/protocol/release";
import { parseJson } from "@muster/shared/protocol/validate";
import { chooseVariants, type InstalledReleases } from "./installed.ts";
import type { Journal } from "./journal.ts";
import { emptyJournal } from "./journal-state.ts";
import type { Clock } from "./ports.ts";
import type { ReleaseDirectories } from "./release-dir.ts";

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
    const release = chooseVariants({ manifest, text: found.text }, facts());
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
