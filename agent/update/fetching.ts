import { isMusterError, MusterError } from "@muster/shared/errors";
import type { Artifact } from "@muster/shared/protocol/release";
import { downloadArtifact } from "./download.ts";
import type { InstalledRelease } from "./installed.ts";
import type { FreeBytes, HttpPort } from "./ports.ts";
import { filesOf } from "./release-files.ts";
import type { UpdateSettings } from "./settings.ts";
import type { ArtifactStore } from "./store.ts";

export interface FetchContext {
  http: HttpPort;
  store: ArtifactStore;
  settings: UpdateSettings;
  freeBytes: FreeBytes;
  /** Frees what the device can do without. */
  makeRoom: () => Promise<void>;
  signal: AbortSignal;
  onProgress: () => void;
}

/**
 * Brings every artifact that this device needs of a release into the store; what is there and whole stays.
 * @throws MusterError `storage.full` before the first byte when the disk has no room, or as `downloadArtifact`
 */
export async function fetchRelease(release: InstalledRelease, context: FetchContext): Promise<void> {
  const missing: Artifact[] = [];
  for (const artifact of artifactsFor(release))
    if (!(await context.store.hasWhole(artifact))) missing.push(artifact);
  if (missing.length === 0) return;
  await reserve(missing, context);
  for (const artifact of missing)
    await downloadArtifact(artifact, {
      ...context,
      maxCorruptDownloads: context.settings.maxCorruptDownloads,
    });
}

const artifactsFor = (release: InstalledRelease): Artifact[] => [
  ...new Map(filesOf(release).map(({ artifact }) => [artifact.digest, artifact])).values(),
];

async function reserve(missing: readonly Artifact[], context: FetchContext): Promise<void> {
  try {
    await requireRoom(missing, context);
  } catch (error) {
    if (!isMusterError(error, "storage.full")) throw error;
    await context.makeRoom();
    await requireRoom(missing, context);
  }
}

async function requireRoom(missing: readonly Artifact[], context: FetchContext): Promise<void> {
  const { store, settings } = context;
  let needed = settings.diskReserveBytes;
  for (const artifact of missing) needed += await store.missingBytes(artifact);
  const free = await context.freeBytes(store.root);
  if (free < needed)
    throw new MusterError(
      "storage.full",
      `The release and the reserve need ${needed} bytes; ${free} are free.`,
    );
}
