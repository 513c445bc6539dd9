import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { asMusterError } from "@muster/shared/errors";
import { type Logger, pino } from "pino";
import { Alerts } from "./alerts/alerts.ts";
import { FleetSignals } from "./alerts/fleet-signals.ts";
import { Attestation } from "./attestation/attestation.ts";
import { actByItself } from "./audit/acting.ts";
import { openDrift } from "./drift/drift.ts";
import { Energy } from "./energy/energy.ts";
import { EkRoots } from "./enrollment/ek-roots.ts";
import { JoinTokens } from "./enrollment/join-tokens.ts";
import { Examples } from "./examples/examples.ts";
import { Fleet } from "./fleet/fleet.ts";
import { openHealth } from "./health/health.ts";
import { KeyLeases } from "./keys/key-leases.ts";
import { MasterKey } from "./keys/master-key.ts";
import { ModelKeys } from "./keys/model-keys.ts";
import { approvalsAt } from "./people/approval-policies.ts";
import { MasterKeys } from "./people/secrets/master-keys.ts";
import { SecretStore } from "./people/secrets/secret-store.ts";
import { Directives } from "./rollouts/directives.ts";
import { ExposureLedger } from "./rollouts/exposure/ledger.ts";
import { Lease } from "./rollouts/lease.ts";
import { Outlook } from "./rollouts/outlook.ts";
import { RolloutService } from "./rollouts/service.ts";
import { Starter } from "./rollouts/starting.ts";
import { RolloutTick } from "./rollouts/tick.ts";
import { openBase } from "./serve-base.ts";
import { openDeviceSide } from "./serve-devices.ts";
import { type OperatorSide, openOperatorSide } from "./serve-operators.ts";
import { attempt, keepUp } from "./serve-upkeep.ts";
import { deviceHostName, inUrl } from "./settings/addresses.ts";
import { Closers } from "./settings/closers.ts";
import { operatorTls } from "./settings/operator-tls.ts";
import { type ControlPlaneSettings, resolveSettings } from "./settings/settings.ts";

export interface ServeOptions {
  /** Where everything is kept; made on the first start. */
  dataDir: string;
  settings?: Partial<ControlPlaneSettings>;
  /** Silent unless given. */
  log?: Logger;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

export interface RunningControlPlane extends OperatorSide {
  /** `https://host:port` for devices. */
  deviceUrl: string;
  /** `mqtts://host:port` for devices. */
  mqttUrl: string;
  /** Ends listeners and timers, writes what waits and gives the data directory back. */
  close(): Promise<void>;
}

/**
 * Starts a control plane on a data directory: databases, CA, device listener, broker, rollouts, operator API.
 * @throws MusterError `settings.invalid`, `storage.in-use`, `storage.broken`, `storage.newer`
 */
export async function serve(options: ServeOptions): Promise<RunningControlPlane> {
  const closers = new Closers();
  try {
    return await compose(options, closers);
  } catch (error) {
    await closers.close();
    throw asMusterError(error);
  }
}

async function compose(
  { dataDir, settings: given, log = pino({ level: "silent" }), now: clock = Date.now }: ServeOptions,
  closers: Closers,
): Promise<RunningControlPlane> {
  const settings = resolveSettings(given);
  const tls = await operatorTls(settings);
  const base = await openBase({ dataDir, settings, log, clock }, closers);
  const { stores, audit, authority, keys, trust, artifacts, releases, presence, directory } = base;
  const { control: db } = stores;
  const { ledger, book: health, reports } = await openHealth(stores, directory, clock);
  closers.add(() => ledger.close());

  const drift = openDrift(stores, ledger.scopes, artifacts, directory, clock);
  const examples = await Examples.open({
    stores,
    directory: join(dataDir, "examples"),
    settings,
    siteOf: (device) => directory.get(device)?.site,
    now: clock,
  });
  const exposures = ExposureLedger.load(stores.telemetryRaw);

  const modelKeys = new ModelKeys(db, await MasterKey.open(join(dataDir, "keys"), "model-keys"), clock);
  const keyLeases = new KeyLeases({
    ...{ stores, directory, keys: modelKeys, signer: keys.directive, clock },
    verdict: settings.keyVerdict,
    leaseSeconds: settings.keyLeaseSeconds,
    random: randomBytes,
  });

  const attestation = await Attestation.open({
    stores,
    directory,
    presence,
    rootText: () => trust.rootText(),
    settings,
    random: randomBytes,
    clock,
    onError: (error) => attempt(log, Promise.reject(error)),
  });

  const tokens = new JoinTokens(stores, authority.pin, clock);
  const ekRoots = new EkRoots(stores, clock);
  const secrets = new SecretStore({
    db,
    keys: await MasterKeys.open(join(dataDir, "keys", "secrets.key")),
    directory,
    now: clock,
  });
  const devices = await openDeviceSide(
    {
      ...base,
      heartbeats: ledger,
      observers: [exposures],
      keepers: [drift.ledger],
      examples,
      secrets,
      attestation,
      keyLeases,
      tokens,
      ekRoots,
      commandKey: keys.directive,
    },
    closers,
  );
  const { broker, desk, ingest, standing } = devices;
  await desk.restore();
  const energy = await Energy.open({
    ...{ stores, directory, ledger, clock, key: keys.directive },
    publishDown: (device, channel, payload, how) => broker.publishDown(device, channel, payload, how),
    onError: (error) => attempt(log, Promise.reject(error)),
  });
  // Whoever held the lease on this directory is gone: its lock is ours.
  await stores.writeControl((raw) => Lease.expel(raw, clock()));
  const outlook = new Outlook();
  const tick = new RolloutTick({
    stores,
    directory,
    directives: new Directives(keys.directive, clock),
    starter: new Starter(stores, directory, releases),
    ledger: exposures,
    publishDown: (device) => desk.offer(device),
    clock,
    log,
    holder: `${hostname()}/${process.pid}/${randomBytes(6).toString("hex")}`,
    outlook,
    limits: { tickMs: settings.rolloutTickMs },
  });
  closers.add(() => tick.stop());
  // The exposure ledger has to know the open waves before the first heartbeat comes.
  await tick.prepare();
  const ports = await devices.listen();
  tick.start(settings.rolloutTickMs);
  const rollouts = new RolloutService({
    stores,
    releases,
    directory,
    clock,
    random: randomBytes,
    approvals: settings.rolloutApprovals,
    approvalsAt,
    outlook,
    wake: () => actByItself(() => tick.wake()),
  });

  await keepUp({ ...base, ingest, desk, health, drift, examples, energy, ledger }, closers);

  const signals = new FleetSignals({
    stores,
    directory,
    health,
    driftingModels: (device) => drift.driftingModels(device),
    dataDir,
    serverCertificate: () => base.identity.secureContext().cert,
    ingestFill: () => ingest.fill,
    clock,
  });
  const { aliveUntil, startedAt: listensSince } = presence.listening;
  const absence = { from: aliveUntil, to: listensSince };
  const alerts = await Alerts.open({ stores, source: signals, clock, random: Math.random, log, absence });
  closers.add(() => alerts.close());
  alerts.start(settings.alertEvaluationMs);

  const host = inUrl(deviceHostName(settings));
  const addresses = {
    deviceUrl: `https://${host}:${ports.https}`,
    mqttUrl: settings.publicMqttUrl ?? `mqtts://${host}:${ports.mqtt}`,
  };
  const operatorSide = await openOperatorSide(
    base,
    {
      ...{ audit, trust, artifacts, releases, standing, tokens, ekRoots, modelKeys, secrets },
      ...{ drift: drift.reports, health: reports, examples, attestation, rollouts, alerts, energy },
      fleet: new Fleet(stores, directory, (device) => broker.isConnected(device)),
      info: { addresses: () => addresses },
    },
    tls,
    closers,
  );
  return { ...addresses, ...operatorSide, close: () => closers.close() };
}
