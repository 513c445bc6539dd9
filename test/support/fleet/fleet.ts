import { createPublicKey } from "node:crypto";
import { rmSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Broker } from "@muster/control-plane/broker/broker";
import { restoreDirectives } from "@muster/control-plane/broker/restore-directives";
import { DeviceApi } from "@muster/control-plane/device-api/server";
import { Authority } from "@muster/control-plane/enrollment/authority";
import { Enrollment } from "@muster/control-plane/enrollment/enrollment";
import { JoinTokens } from "@muster/control-plane/enrollment/join-tokens";
import { ServerIdentity } from "@muster/control-plane/enrollment/server-identity";
import { type ExampleSettings, Examples } from "@muster/control-plane/examples/examples";
import { Directory } from "@muster/control-plane/fleet/directory";
import { Fleet } from "@muster/control-plane/fleet/fleet";
import { Presence } from "@muster/control-plane/fleet/presence";
import { type Health, openHealth } from "@muster/control-plane/health/health";
import { Ingest, type IngestSettings } from "@muster/control-plane/ingest/ingest";
import { openStores, type Stores } from "@muster/control-plane/storage/database";
import type { MusterError } from "@muster/shared/errors";
import type { Ack } from "@muster/shared/protocol/messages";
import { enrollRequest, newDevice, type TestDevice } from "./keys.ts";

/** The device side of a control plane, put together from the real parts on free ports. */
export interface TestFleet {
  dataDir: string;
  stores: Stores;
  authority: Authority;
  presence: Presence;
  tokens: JoinTokens;
  enrollment: Enrollment;
  ingest: Ingest;
  broker: Broker;
  directory: Directory;
  health: Health;
  fleet: Fleet;
  examples: Examples;
  mqttPort: number;
  httpsPort: number;
  errors: MusterError[];
  enroll(name?: string, site?: string): Promise<TestDevice & { certificate: string }>;
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
  const tokens = new JoinTokens(stores, authority.pin, now);
  const parts: { broker?: Broker; api?: DeviceApi } = {};
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
      onEnrolled: (device, site) => presence.add(device, site),
      onRevoked: (device) => {
        presence.setRevoked(device);
        parts.broker?.disconnect(device);
        parts.api?.disconnect(device);
      },
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
  await restoreDirectives(stores, broker);
  const { port: mqttPort } = await broker.listen();
  const api = await DeviceApi.create(
    {
      stores,
      identity,
      enrollment,
      presence,
      examples,
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
    authority,
    presence,
    tokens,
    enrollment,
    ingest,
    broker,
    directory,
    health,
    fleet,
    examples,
    mqttPort,
    httpsPort,
    errors,
    enroll: async (name, site = "eu/berlin-1") => {
      const device = await newDevice();
      const token = await tokens.create({ site, uses: 1, expiresAt: now() + 60_000 });
      const request = enrollRequest(device, token, name === undefined ? {} : { name });
      const { certificate } = await enrollment.enroll(request, "mqtts://localhost");
      return { ...device, certificate };
    },
    close: async (keep = false) => {
      await api.close();
      await broker.close();
      await ingest.close();
      await health.ledger.close();
      await presence.save();
      await stores.close();
      if (!keep) await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** A certificate for a device that was valid for one day, ten days ago. */
export const expiredCertificate = (fleet: TestFleet, device: TestDevice): string =>
  fleet.authority.issueDevice(device.id, createPublicKey(device.key), 1, Date.now() - 10 * 86_400_000).pem;
