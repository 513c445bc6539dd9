import type { Challenge, Evidence } from "@muster/shared/protocol/evidence";
import type { HardwareFacts } from "@muster/shared/protocol/hardware";
import type { Heartbeat } from "@muster/shared/protocol/messages";
import type { ReportedState } from "@muster/shared/protocol/state";
import type { Notices } from "../outbox/notices.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { DeviceHttp, TlsMaterial } from "./device-http.ts";
import type { DrainSettings } from "./drain-window.ts";
import type { ReconnectRule } from "./link-machine.ts";

export interface LinkLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** What heartbeats tell besides their number, their time and the line. */
export type Vitals = Pick<Heartbeat, "uptimeSeconds" | "health" | "inference">;

export interface LinkPorts {
  device: string;
  agentVersion: string;
  /** Id of this boot of the machine. */
  boot: string;
  mqttUrl: string;
  tls: () => TlsMaterial;
  http: DeviceHttp;
  outbox: Outbox;
  notices: Notices;
  facts: () => HardwareFacts;
  reported: () => ReportedState;
  /** The control plane can be reached again. */
  online: () => void;
  /** Takes a directive as it came; a bad one is refused and told by the taker, a `deferred` one is offered again. */
  offer: (directive: Uint8Array | string, source: "mqtt" | "https") => Promise<string>;
  /** Takes a power policy as `offer` takes a directive. */
  offerPolicy: (policy: Uint8Array | string) => Promise<string>;
  /** Answers a challenge: links of the evidence chain to be sent, oldest first; none where it could not be answered. */
  attest: (challenge: Challenge) => Promise<readonly Evidence[]>;
  /** Takes a command as it came; a bad one is refused and told by the taker. */
  command: (payload: Uint8Array) => void;
  /** Called once per heartbeat that is sent: counters are since the last call. */
  vitals: () => Vitals;
  log: LinkLog;
  random: () => number;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Milliseconds that only grow. */
  monotonic: () => number;
  newId: () => string;
}

export interface LinkSettings {
  keepaliveSeconds: number;
  connectTimeoutMs: number;
  reconnect: ReconnectRule;
  stableAfterMs: number;
  heartbeatMs: number;
  pollMs: number;
  pollOnlineMs: number;
  drain: DrainSettings;
}
