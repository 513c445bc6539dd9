import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { InstalledReleases } from "./installed.ts";
import type { JournalState } from "./journal-state.ts";
import type { ReleaseDirectories } from "./release-dir.ts";
import { filesOf } from "./release-files.ts";
import type { ArtifactStore } from "./store.ts";

export interface HousekeepingContext {
  releases: InstalledReleases;
  directories: ReleaseDirectories;
  store: ArtifactStore;
}

/** Releases that must stay: what runs, what was proven, what is on its way; `spare` is the one before. */
export function neededReleases(state: JournalState, spare: boolean): string[] {
  const refs: (ReleaseRef | null | undefined)[] = [
    state.active,
    state.committed,
    state.attempt?.order.release,
    spare ? state.previous : null,
  ];
  return [...new Set(refs.flatMap((ref) => (ref ? [ref.digest] : [])))];
}

/** Removes what no needed release uses. The database goes first: files that nobody names are found again. */
export async function tidy(
  { releases, directories, store }: HousekeepingContext,
  digests: readonly string[],
): Promise<void> {
  const kept = releases.keepOnly(digests);
  await directories.keepOnly(digests);
  for (const release of kept) await directories.prune(release);
  await store.collect(
    new Set(kept.flatMap((release) => filesOf(release).map(({ artifact }) => artifact.digest))),
  );
}
