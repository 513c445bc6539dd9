import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { DeviceHttp } from "@muster/agent/link/device-http";
import { Link } from "@muster/agent/link/link";
import type { LinkPorts, LinkSettings } from "@muster/agent/link/ports";
import { Notices } from "@muster/agent/outbox/notices";
import { Outbox } from "@muster/agent/outbox/outbox";
import { openDatabase } from "@muster/agent/storage/database";
import type { Heartbeat } from "@muster/shared/protocol/messages";
import type { ReportedState } from "@muster/shared/protocol/state";
import type { Fleet } from "./fleet.ts";

export const idleState: ReportedState = {
  generation: 0,
  running: null,
  components: [],
  runner: "idle",
  update: null,
  lastResult: null,
  refused: null,
};

export const idleHealth: Heartbeat["health"] = {
  agentRss: 1,
  runnerRss: 1,
  loadPerCore: 0,
  freeMemoryMiB: 1,
  freeDiskMiB: 1,
  temperatureC: null,
  runnerRestarts: 0,
  outboxBytes: 0,
};

const quick: LinkSettings = {
  keepaliveSeconds: 60,
  connectTimeoutMs: 5000,
  reconnect: { minMs: 10, maxMs: 100, startDelayMs: 0 },
  stableAfterMs: 60_000,
  heartbeatMs: 50,
  pollMs: 3_600_000,
  pollOnlineMs: 3_600_000,
  drain: { batchesInFlight: 4, ackTimeoutMs: 200, batchRecords: 10, batchBytes: 200_000 },
};

/** The link with a real outbox on disk; the rest of the agent is what a test says. */
export function makeAgent(
  fleet: Fleet,
  mqttUrl: string,
  settings: Partial<LinkSettings> = {},
  ports: Partial<LinkPorts> = {},
) {
  const db = openDatabase(join(fleet.directory, `${randomUUID()}.db`));
  const outbox = new Outbox(db, { limitBytes: 64e6, newId: randomUUID });
  const notices = new Notices((records) => outbox.append(records), 60_000, Date.now);
  const http = new DeviceHttp({ server: () => "https://127.0.0.1:9", tls: () => fleet.tls, timeoutMs: 5000 });
  const offered: string[] = [];
  const link = new Link(
    {
      device: fleet.keys.device,
      agentVersion: "1.0.0",
      boot: "boot-0001",
      mqttUrl,
      tls: () => fleet.tls,
      http,
      outbox,
      notices,
      facts: () => ({
        platform: "linux",
        arch: "x64",
        cpuModel: "test",
        cores: 2,
        memoryMiB: 100,
        opset: 26,
        providers: ["cpu"],
      }),
      reported: () => idleState,
      online: () => undefined,
      offer: async (directive, source) => {
        offered.push(`${source} ${Buffer.from(directive as Uint8Array).toString()}`);
        return "accepted";
      },
      attest: async () => [],
      command: () => undefined,
      offerPolicy: async (policy) => {
        offered.push(`policy ${Buffer.from(policy as Uint8Array).toString()}`);
        return "accepted";
      },
      vitals: () => ({
        uptimeSeconds: 1,
        health: { ...idleHealth, outboxBytes: outbox.position().bytes },
        inference: [],
      }),
      log: { info: () => undefined, warn: () => undefined },
      random: Math.random,
      now: Date.now,
      monotonic: () => performance.now(),
      newId: randomUUID,
      ...ports,
    },
    { ...quick, ...settings },
  );
  let appended = 0;
  /** Appends `count` event records. */
  const record = (count: number) => {
    const from = appended;
    appended += count;
    return outbox.append(
      Array.from({ length: count }, (_, i) => ({
        kind: "event" as const,
        at: Date.now(),
        body: { code: "runner.crashed", message: `record ${from + i}` },
      })),
    );
  };
  const stop = async () => {
    await link.stop();
    http.close();
    db.close();
  };
  return { link, outbox, offered, record, stop };
}
