import assert from "node:assert/strict";
import { createPublicKey, randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Attestation, type AttestationSettings } from "@muster/control-plane/attestation/attestation";
import { AuditLog } from "@muster/control-plane/audit/audit-log";
import { Broker } from "@muster/control-plane/broker/broker";
import { DeviceApi } from "@muster/control-plane/device-api/server";
import { Authority } from "@muster/control-plane/enrollment/authority";
import { DeviceCommands } from "@muster/control-plane/enrollment/device-commands";
import { DeviceStanding } from "@muster/control-plane/enrollment/device-standing";
import { EkRoots } from "@muster/control-plane/enrollment/ek-roots";
import { Enrollment } from "@muster/control-plane/enrollment/enrollment";
import { JoinTokens } from "@muster/control-plane/enrollment/join-tokens";
import { ServerIdentity } from "@muster/control-plane/enrollment/server-identity";
import { standingPorts } from "@muster/control-plane/enrollment/standing-ports";
import { WipeWitness } from "@muster/control-plane/enrollment/wipe-witness";
import { type ExampleSettings, Examples } from "@muster/control-plane/examples/examples";
import { Directory } from "@muster/control-plane/fleet/directory";
import { Fleet } from "@muster/control-plane/fleet/fleet";
import { Presence } from "@muster/control-plane/fleet/presence";
import { type Health, openHealth } from "@muster/control-plane/health/health";
import { Ingest, type IngestSettings } from "@muster/control-plane/ingest/ingest";
import { MasterKeys } from "@muster/control-plane/people/secrets/master-keys";
import { SecretStore } from "@muster/control-plane/people/secrets/secret-store";
import { DirectiveDesk } from "@muster/control-plane/rollouts/directive-desk";
import { openStores, type Stores } from "@muster/control-plane/storage/database";
import { asMusterError, type MusterError } from "@muster/shared/errors";
import type { Ack } from "@muster/shared/protocol/messages";
import { type SigningKey, signingKeyFrom } from "@muster/shared/trust/ed25519";
import { enrollRequest, newDevice, type TestDevice } from "./keys.ts";

/** The device side of a control plane, put together from the real parts on free ports. */
export interface TestFleet {
  dataDir: string;
  stores: Stores;
  audit: AuditLog;
  authority: Authority;
  presence: Presence;
  tokens: JoinTokens;
  enrollment: Enrollment;
  standing: DeviceStanding;
  secrets: SecretStore;
  desk: DirectiveDesk;
  ekRoots: EkRoots;
  /** What signs commands to its devices. */
  commandKey: SigningKey;
  ingest: Ingest;
  broker: Broker;
  directory: Directory;
  health: Health;
  fleet: Fleet;
  examples: Examples;
  /** Asks devices only where the options name it. */
  attestation: Attestation;
  mqttPort: number;
  httpsPort: number;
  errors: MusterError[];
  enroll(name?: string, site?: string, signingKey?: string): Promise<TestDevice & { certificate: string }>;
  /** Closes everything; `keep` leaves the data directory for another start. */
  close(keep?: boolean): Promise<void>;
}

export interface TestFleetOptions {
  dataDir?: string;
  now?: () => number;
  ingest?: Partial<IngestSettings>;
  broker?: { acceptPerSecond?: number; maxConnections?: number };
  enrollmentsPerMinute?: number;
  examples?: Partial<ExampleSettings>;
  /** Devices are asked for evidence. */
  attestation?: Partial<AttestationSettings> & { rootText?: () => Promise<string | null> };
  onAck?: (device: string, ack: Ack) => void;
}

const rules = { heartbeatIntervalMs: 30_000, willGraceMs: 5_000 };

/** RSA keys take long to make: the fleets of one test file share theirs, unless they bring a data directory. */
let caOfThisProcess: string | undefined;

export async function startFleet(options: TestFleetOptions = {}): Promise<TestFleet> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), "muster-fleet-")));
  const now = options.now ?? Date.now;
  const errors: MusterError[] = [];
  const stores = await openStores(dataDir);
  if (options.dataDir === undefined && caOfThisProcess)
    await cp(caOfThisProcess, join(dataDir, "ca"), { recursive: true });
  const authority = await Authority.open(join(dataDir, "ca"), now());
  const identity = await ServerIdentity.open(
    authority,
    join(dataDir, "ca"),
    ["localhost", "127.0.0.1"],
    now(),
  );
  if (caOfThisProcess === undefined && options.dataDir === undefined) {
    caOfThisProcess = await mkdtemp(join(tmpdir(), "muster-ca-"));
    await cp(join(dataDir, "ca"), caOfThisProcess, { recursive: true });
    const made = caOfThisProcess;
    process.once("exit", () => rmSync(made, { recursive: true, force: true }));
  }
  const audit = await AuditLog.open({
    stores,
    dataDir,
    clock: now,
    onError: (error) => errors.push(asMusterError(error)),
  });
  const presence = await Presence.load(stores, rules, now);
  const directory = Directory.load(stores, presence);
  const health = await openHealth(stores, directory, now);
  const examples = await Examples.open({
    stores,
    directory: join(dataDir, "examples"),
    settings: {
      exampleMib: 8,
      exampleDeviceMib: 16,
      exampleTotalMib: 32,
      exampleDays: 30,
      ...options.examples,
    },
    siteOf: (device) => directory.get(device)?.site,
    now,
  });
  const attestation = await Attestation.open({
    stores,
    directory,
    presence,
    rootText: options.attestation?.rootText ?? (async () => null),
    settings: { attestationPerSecond: 50, attestationAnswerMs: 120_000, ...options.attestation },
    random: randomBytes,
    clock: now,
    onError: (error) => errors.push(error),
  });
  const tokens = new JoinTokens(stores, authority.pin, now);
  const ekRoots = new EkRoots(stores, now);
  const commandKey = signingKeyFrom(randomBytes(32));
  const commands = new DeviceCommands(stores, commandKey, now);
  const failed = (error: unknown) => errors.push(asMusterError(error));
  const parts: { broker?: Broker; api?: DeviceApi; standing?: ReturnType<typeof standingPorts> } = {};
  const ingest = new Ingest(
    stores,
    presence,
    { flushMs: 20, flushRecords: 500, queueRecords: 50_000, notesPerMinute: 6, ...options.ingest },
    {
      acknowledge: (device, ack) => {
        options.onAck?.(device, ack);
        if (parts.broker?.isConnected(device))
          void parts.broker.publishDown(device, "ack", JSON.stringify(ack));
      },
      disconnect: (device) => void parts.broker?.disconnect(device),
      heartbeats: health.ledger,
      keepers: [
        new WipeWitness({ wiped: (device, outcome) => standing.wiped(device, outcome) }, failed),
        attestation.keeper,
      ],
      attestation,
      onError: (error) => errors.push(error),
    },
    now,
  );
  const enrollment = new Enrollment(
    stores,
    authority,
    30,
    {
      tufRoot: async () => "{}",
      ekRoots,
      onEnrolled: (device, site) => presence.add(device, site),
      onReplaced: (former, device) => parts.standing?.onRevoked(former, `replaced by ${device}`),
    },
    now,
  );
  const broker = await Broker.create(
    identity,
    {
      host: "127.0.0.1",
      port: 0,
      maxConnections: options.broker?.maxConnections ?? 1000,
      acceptPerSecond: options.broker?.acceptPerSecond ?? 1000,
      handshakeTimeoutMs: 10_000,
    },
    {
      statusOf: (device) => presence.statusOf(device),
      now,
      onMessage: (device, channel, payload) => ingest.handle(device, channel, payload),
      room: () => ingest.room(),
      onViolation: (device, violation) => ingest.note(device, violation),
      onError: (error) => errors.push(error),
    },
  );
  parts.broker = broker;
  const desk = new DirectiveDesk({
    stores,
    directory,
    publishDown: (device, channel, payload, how) => broker.publishDown(device, channel, payload, how),
  });
  const ports = standingPorts({
    presence,
    broker,
    desk,
    deviceApi: () => parts.api,
    log: () => undefined,
    onError: failed,
  });
  parts.standing = ports;
  const secrets = new SecretStore({
    db: stores.control,
    keys: await MasterKeys.open(join(dataDir, "secrets.key")),
    directory,
    now,
  });
  const standing: DeviceStanding = new DeviceStanding(stores, { ...ports, tokens, commands }, now);
  await desk.restore();
  const { port: mqttPort } = await broker.listen();
  if (options.attestation)
    attestation.start({
      isConnected: (device) => broker.isConnected(device),
      publishDown: (device, channel, payload, how) => broker.publishDown(device, channel, payload, how),
      note: (device, error) => ingest.note(device, error),
    });
  const api = await DeviceApi.create(
    {
      stores,
      audit,
      identity,
      enrollment,
      presence,
      examples,
      keyLeases: { lease: async () => [] },
      secrets,
      desk,
      releases: {
        trust: { file: async () => undefined },
        releases: { manifestText: async () => undefined, hasArtifact: async () => false },
        artifacts: {
          size: async () => undefined,
          read: () => {
            throw new Error("no artifacts here");
          },
        },
      },
      mqttUrl: (host) => `mqtts://${host}:${mqttPort}`,
      now,
    },
    {
      host: "127.0.0.1",
      port: 0,
      bodyLimit: 65_536,
      enrollmentsPerMinute: options.enrollmentsPerMinute ?? 1000,
      maxConnections: options.broker?.maxConnections ?? 1000,
      handshakeTimeoutMs: 10_000,
    },
  );
  parts.api = api;
  const { port: httpsPort } = await api.listen();
  const fleet = new Fleet(stores, directory, (device) => broker.isConnected(device));
  return {
    dataDir,
    stores,
    audit,
    authority,
    presence,
    tokens,
    enrollment,
    standing,
    secrets,
    desk,
    ekRoots,
    commandKey,
    ingest,
    broker,
    directory,
    health,
    fleet,
    examples,
    attestation,
    mqttPort,
    httpsPort,
    errors,
    enroll: async (name, site = "eu/berlin-1", signingKey) => {
      const made = await newDevice();
      const device = signingKey === undefined ? made : { ...made, signingKey };
      const token = await tokens.create({ site, uses: 1, expiresAt: now() + 60_000 });
      const request = enrollRequest(device, token, name === undefined ? {} : { name });
      const answer = await enrollment.enroll(request, "mqtts://localhost");
      assert.ok("certificate" in answer);
      return { ...device, certificate: answer.certificate };
    },
    close: async (keep = false) => {
      await api.close();
      await broker.close();
      await ingest.close();
      await attestation.close();
      await health.ledger.close();
      await presence.save();
      await audit.close();
      await stores.close();
      if (!keep) await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** A certificate for a device that was valid for one day, ten days ago. */
export const expiredCertificate = (fleet: TestFleet, device: TestDevice): string =>
  fleet.authority.issueDevice(device.id, createPublicKey(device.key), 1, Date.now() - 10 * 86_400_000).pem;
