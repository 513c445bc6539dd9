import { join } from "node:path";
import type { Logger } from "pino";
import { AuditLog } from "./audit/audit-log.ts";
import { Authority } from "./enrollment/authority.ts";
import { ServerIdentity } from "./enrollment/server-identity.ts";
import { Directory } from "./fleet/directory.ts";
import { Presence } from "./fleet/presence.ts";
import { ArtifactStore } from "./releases/artifact-store.ts";
import { ReleaseRegistry } from "./releases/registry.ts";
import type { Closers } from "./settings/closers.ts";
import { type ControlPlaneSettings, certificateHosts } from "./settings/settings.ts";
import { openStores, type Stores } from "./storage/database.ts";
import { lockDataDirectory } from "./storage/lock.ts";
import { type OnlineKeys, openOnlineKeys } from "./trust/online-keys.ts";
import { TrustRepository } from "./trust/repository.ts";

/** What everything else of a control plane stands on. */
export interface Base {
  dataDir: string;
  settings: ControlPlaneSettings;
  log: Logger;
  /** Milliseconds since the epoch. */
  clock: () => number;
  startedAt: number;
  stores: Stores;
  audit: AuditLog;
  authority: Authority;
  identity: ServerIdentity;
  /** The online keys. */
  keys: OnlineKeys;
  trust: TrustRepository;
  artifacts: ArtifactStore;
  releases: ReleaseRegistry;
  presence: Presence;
  directory: Directory;
}

/**
 * Takes a data directory and opens what is in it; makes what is not there yet.
 * @throws MusterError `storage.in-use`, `storage.broken`, `storage.newer`
 */
export async function openBase(
  { dataDir, settings, log, clock }: Pick<Base, "dataDir" | "settings" | "log" | "clock">,
  closers: Closers,
): Promise<Base> {
  const startedAt = clock();
  closers.add(await lockDataDirectory(dataDir));
  const stores = await openStores(dataDir);
  closers.add(() => stores.close());
  const { control: db } = stores;
  const audit = await AuditLog.open({
    stores,
    dataDir,
    clock,
    onError: (error) => log.error({ err: error }, "the audit log could not be written"),
  });
  closers.add(() => audit.close());

  const caDir = join(dataDir, "ca");
  const authority = await Authority.open(caDir, startedAt);
  const identity = await ServerIdentity.open(authority, caDir, certificateHosts(settings), startedAt);
  const keys = await openOnlineKeys(join(dataDir, "keys"));
  const trust = new TrustRepository({ db, keys, clock });
  const artifacts = new ArtifactStore(join(dataDir, "artifacts"));
  await artifacts.open();
  const releases = new ReleaseRegistry({ db, trust, artifacts, clock });
  const presence = await Presence.load(stores, settings, clock);
  closers.add(() => presence.save());
  const directory = Directory.load(stores, presence, clock);
  return {
    ...{ dataDir, settings, log, clock, startedAt, stores, audit, authority, identity, keys },
    ...{ trust, artifacts, releases, presence, directory },
  };
}
