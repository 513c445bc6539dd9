import { join } from "node:path";
import { Directory } from "@muster/control-plane/fleet/directory";
import type { Presence } from "@muster/control-plane/fleet/presence";
import { ArtifactStore } from "@muster/control-plane/releases/artifact-store";
import { ReleaseRegistry } from "@muster/control-plane/releases/registry";
import { Directives } from "@muster/control-plane/rollouts/directives";
import { ExposureLedger } from "@muster/control-plane/rollouts/exposure/ledger";
import { Starter } from "@muster/control-plane/rollouts/starting";
import { RolloutTick } from "@muster/control-plane/rollouts/tick";
import { openStores } from "@muster/control-plane/storage/database";
import { openOnlineKeys } from "@muster/control-plane/trust/online-keys";
import { TrustRepository } from "@muster/control-plane/trust/repository";

// Another control plane on the data of a test: it ticks until it is killed, and tells its parent what it publishes.
const [dir = "", at = "0"] = process.argv.slice(2);
const now = Number(at);
const clock = () => now;
const stores = await openStores(dir);
const keys = await openOnlineKeys(join(dir, "keys"));
const online = { liveness: "online" as const, lastSeenAt: null };
const directory = Directory.load(stores, { of: () => online } as unknown as Presence);
const trust = new TrustRepository({ db: stores.control, keys, clock });
const artifacts = new ArtifactStore(join(dir, "artifacts"));
const releases = new ReleaseRegistry({ db: stores.control, trust, artifacts, clock });
const tick = new RolloutTick({
  stores,
  directory,
  directives: new Directives(keys.directive, clock),
  starter: new Starter(stores, directory, releases),
  ledger: ExposureLedger.load(stores.telemetryRaw),
  holder: "killed",
  publishDown: async (device) => {
    await new Promise((sent) => process.send?.(device, sent));
  },
  clock,
  log: { info: () => {}, error: (_fields, message) => process.stderr.write(`${message}\n`) },
  limits: { instructions: 20 },
});
await tick.run();
