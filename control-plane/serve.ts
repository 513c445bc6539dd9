import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { asMusterError } from "@muster/shared/errors";
import { type Logger, pino } from "pino";
import { Alerts } from "./alerts/alerts.ts";
import { FleetSignals } from "./alerts/fleet-signals.ts";
import { createOperatorApi } from "./api/server.ts";
import { Attestation } from "./attestation/attestation.ts";
import { actByItself } from "./audit/acting.ts";
import { AuditLog } from "./audit/audit-log.ts";
import { restoreDirectives } from "./broker/restore-directives.ts";
import { openDrift } from "./drift/drift.ts";
import { Energy } from "./energy/energy.ts";
import { Authority } from "./enrollment/authority.ts";
import { EkRoots } from "./enrollment/ek-roots.ts";
import { JoinTokens } from "./enrollment/join-tokens.ts";
import { ServerIdentity } from "./enrollment/server-identity.ts";
import { Examples } from "./examples/examples.ts";
import { Directory } from "./fleet/directory.ts";
import { Fleet } from "./fleet/fleet.ts";
import { Groups } from "./fleet/groups.ts";
import { Presence } from "./fleet/presence.ts";
import { openHealth } from "./health/health.ts";
import { Retention } from "./ingest/retention.ts";
import { KeyLeases } from "./keys/key-leases.ts";
import { MasterKey } from "./keys/master-key.ts";
import { ModelKeys } from "./keys/model-keys.ts";
import { ApprovalPolicies, approvalsAt } from "./people/approval-policies.ts";
import { readOidcFile } from "./people/oidc/oidc-file.ts";
import { SignIn } from "./people/oidc/sign-in.ts";
import { Operators } from "./people/operators.ts";
import { MasterKeys } from "./people/secrets/master-keys.ts";
import { SecretStore } from "./people/secrets/secret-store.ts";
import { ArtifactStore } from "./releases/artifact-store.ts";
import { ReleaseRegistry } from "./releases/registry.ts";
import { Directives } from "./rollouts/directives.ts";
import { ExposureLedger } from "./rollouts/exposure/ledger.ts";
import { Freezes } from "./rollouts/freezes.ts";
import { rolloutsNaming } from "./rollouts/group-users.ts";
import { Lease } from "./rollouts/lease.ts";
import { Outlook } from "./rollouts/outlook.ts";
import { Quarantines } from "./rollouts/quarantines.ts";
import { RolloutService } from "./rollouts/service.ts";
import { Starter } from "./rollouts/starting.ts";
import { RolloutTick } from "./rollouts/tick.ts";
import { openDeviceSide } from "./serve-devices.ts";
import { deviceHostName, inUrl } from "./settings/addresses.ts";
import { Closers } from "./settings/closers.ts";
import { listenError } from "./settings/listen-error.ts";
import { operatorTls } from "./settings/operator-tls.ts";
import { type ControlPlaneSettings, certificateHosts, resolveSettings } from "./settings/settings.ts";
import { ShadowReports } from "./shadow/reports.ts";
import { openStores } from "./storage/database.ts";
import { lockDataDirectory } from "./storage/lock.ts";
import { openOnlineKeys } from "./trust/online-keys.ts";
import { TrustRepository } from "./trust/repository.ts";
import { VERSION } from "./version.ts";

export interface ServeOptions {
  /** Where everything is kept; made on the first start. */
  dataDir: string;
  settings?: Partial<ControlPlaneSettings>;
  /** Silent unless given. */
  log?: Logger;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

export interface RunningControlPlane {
  /** `https://host:port` for devices. */
  deviceUrl: string;
  /** `mqtts://host:port` for devices. */
  mqttUrl: string;
  /** Operator API and page. */
  operatorUrl: string;
  /** Token of the first operator: told on the first start only. */
  operatorToken: string | undefined;
  /** Ends listeners and timers, writes what waits and gives the data directory back. */
  close(): Promise<void>;
}

const HOURLY = 3_600_000;
const DAILY = 24 * HOURLY;
/** How soon a device that has just enrolled or moved gets its power policy. */
const POLICY_TICK_MS = 30_000;

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

  const services = { stores, authority, identity, presence, trust, releases, artifacts };
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
      ...services,
      audit,
      settings,
      log,
      clock,
      heartbeats: ledger,
      observers: [exposures],
      keepers: [drift.ledger],
      examples,
      secrets,
      attestation,
      keyLeases,
      isWithheld: (device) => directory.withheldBecause(device) !== undefined,
      tokens,
      ekRoots,
      commandKey: keys.directive,
    },
    closers,
  );
  const { broker, ingest, standing } = devices;
  await restoreDirectives(stores, broker);
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
    publishDown: (device, channel, payload, how) => broker.publishDown(device, channel, payload, how),
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

  const every = (ms: number, work: () => Promise<unknown>) => {
    const timer = setInterval(() => attempt(log, work()), ms);
    closers.add(() => clearInterval(timer));
  };
  const housekeeping = async () => {
    await identity.renewIfDue(clock());
    await trust.refresh();
  };
  await housekeeping();
  every(HOURLY, housekeeping);
  const retention = new Retention(stores, settings, clock, () => ingest.forgetTables());
  closers.add(() => retention.stop());
  attempt(log, retention.run());
  every(HOURLY, () => retention.run());
  const cut = () => audit.cut(clock() - settings.auditDays * DAILY);
  attempt(log, cut());
  every(DAILY, cut);
  every(settings.auditCheckpointMs, () => audit.checkpoint());
  for (const prune of [() => drift.ledger.prune(), () => examples.prune()]) {
    attempt(log, prune());
    every(HOURLY, prune);
  }
  await health.refresh();
  every(settings.healthMs, () => health.refresh());
  every(1000, () => ledger.tick());
  every(POLICY_TICK_MS, () => energy.tick());
  every(settings.presenceSaveMs, () => presence.save());

  const signals = new FleetSignals({
    stores,
    directory,
    health,
    driftingModels: (device) => drift.driftingModels(device),
    dataDir,
    serverCertificate: () => identity.secureContext().cert,
    ingestFill: () => ingest.fill,
    clock,
  });
  const { aliveUntil, startedAt: listensSince } = presence.listening;
  const absence = { from: aliveUntil, to: listensSince };
  const alerts = await Alerts.open({ stores, source: signals, clock, random: Math.random, log, absence });
  closers.add(() => alerts.close());
  alerts.start(settings.alertEvaluationMs);

  const operators = new Operators(db, clock);
  const { oidcFile } = settings;
  const signIn =
    oidcFile === null ? undefined : new SignIn(db, operators, await readOidcFile(oidcFile), clock);
  const host = inUrl(deviceHostName(settings));
  const addresses = {
    deviceUrl: `https://${host}:${ports.https}`,
    mqttUrl: settings.publicMqttUrl ?? `mqtts://${host}:${ports.mqtt}`,
  };
  const api = await createOperatorApi(
    {
      control: db,
      operators,
      signIn,
      approvals: new ApprovalPolicies(db, clock),
      secrets,
      info: { version: VERSION, startedAt, now: clock, addresses: () => addresses },
      trust,
      standing,
      tokens,
      ekRoots,
      artifacts,
      releases,
      modelKeys,
      fleet: new Fleet(stores, directory, (device) => broker.isConnected(device)),
      health: reports,
      drift: drift.reports,
      examples,
      attestation,
      groups: new Groups({ db, directory, clock, usersOf: rolloutsNaming }),
      rollouts,
      shadow: new ShadowReports(db),
      freezes: new Freezes(db, clock),
      audit,
      quarantines: new Quarantines(stores, clock),
      alerts,
      energy,
    },
    { refusalsPerMinute: settings.auditRefusalsPerMinute, ...(tls === undefined ? {} : { tls }) },
    log,
  );
  closers.add(() => api.close());
  const operatorUrl = await listenOperator(api, settings);
  const operatorToken = await operators.ensureFirstToken();
  return { ...addresses, operatorUrl, operatorToken, close: () => closers.close() };
}

async function listenOperator(
  api: Awaited<ReturnType<typeof createOperatorApi>>,
  { operatorHost: host, operatorPort: port }: ControlPlaneSettings,
): Promise<string> {
  try {
    return await api.listen({ host, port });
  } catch (cause) {
    throw listenError(host, port, cause);
  }
}

/** Work in the background: a failure is logged, and tried again when its time comes. */
function attempt(log: Logger, work: Promise<unknown>): void {
  work.catch((error: unknown) => {
    const { code, message } = asMusterError(error);
    log.error({ code, err: error }, message);
  });
}
