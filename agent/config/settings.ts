import { integer, number, oneOf, pairs, type Setting, text, url } from "./setting.ts";

/** Every setting of the agent with its default: the one place where limits are decided. */
export const SETTINGS = {
  data: text("/var/lib/muster-agent", /^.+$/, "a directory", "directory for everything that the agent keeps"),
  server: url("https", "https://host:8443", "URL of the device listener"),
  token: text(null, /^muster1\./, "a join token", "join token, used when the device is not enrolled yet"),
  name: text(null, /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "a lower-case name", "name of this device"),
  labels: pairs("labels of this device"),
  logLevel: oneOf(
    "info",
    ["trace", "debug", "info", "warn", "error", "silent"],
    "least level that is logged",
  ),

  inferenceHost: text("127.0.0.1", /^\S+$/, "an address", "address of the inference endpoint"),
  inferencePort: integer(8741, 0, 65_535, "TCP port of the inference endpoint; 0 takes a free one"),
  inferenceSocket: text(
    null,
    /^(off|\/.+)$/,
    "an absolute path, or off",
    "Unix socket of the inference endpoint, or off (default: run/inference.sock in the data directory)",
  ),
  inferenceQueue: integer(64, 1, 100_000, "requests that wait for the runtime; more are refused"),
  inferenceBodyMib: number(16, 0.001, 1024, "largest inference request"),
  hangSeconds: number(10, 0.1, 3600, "longest silence of a runner before it is killed"),
  diskReserveMib: number(64, 0, 1_000_000, "space that a download leaves free"),

  mqttUrl: url("mqtts", "mqtts://host:8883", "broker, in place of the one told at enrollment"),
  mqttKeepaliveSeconds: integer(
    60,
    1,
    1200,
    "MQTT keepalive; three silent ones and the connection is dropped",
  ),
  connectTimeoutSeconds: number(15, 0.1, 120, "longest wait for a connection to stand"),
  reconnectMinSeconds: number(1, 0.01, 60, "scale of the first wait before a new connection"),
  reconnectMaxSeconds: number(300, 0.01, 3600, "longest wait before a new connection"),
  stableAfterSeconds: number(60, 0, 3600, "time online after which the waits begin small again"),
  startDelaySeconds: number(30, 0, 600, "the first connection waits for a random part of this"),
  heartbeatSeconds: number(30, 0.5, 3600, "time between heartbeats"),
  pollSeconds: number(60, 0.1, 86_400, "time between HTTPS polls of the directive while MQTT is down"),
  pollOnlineSeconds: number(900, 1, 86_400, "time between HTTPS polls of the directive while MQTT is up"),
  httpTimeoutSeconds: number(30, 0.1, 600, "longest silence in an HTTPS request"),

  batchRecords: integer(500, 1, 1000, "most records in one batch"),
  batchKib: integer(200, 40, 240, "largest batch"),
  batchesInFlight: integer(8, 1, 32, "batches sent and not acknowledged"),
  ackTimeoutSeconds: number(10, 0.1, 600, "wait for an acknowledgement before batches are sent again"),
  outboxLimitMib: number(64, 0.01, 65_536, "most that the outbox keeps"),

  renewCheckSeconds: number(3600, 0.1, 86_400, "time between looks at the age of the certificate"),
  noticeSeconds: number(60, 0, 86_400, "shortest time between two events of the same code"),
  stopSeconds: number(5, 0.1, 60, "time to end in an orderly way"),
} as const satisfies Record<string, Setting<unknown>>;

export type SettingName = keyof typeof SETTINGS;
export type Settings = {
  [N in SettingName]: (typeof SETTINGS)[N] extends Setting<infer T> ? T : never;
};
