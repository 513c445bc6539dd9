import { TPM_SETTING } from "../tpm/address.ts";
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
  inferenceGrpcPort: integer(0, 0, 65_535, "TCP port of gRPC on the same address; 0 offers no gRPC"),
  inferenceSocket: text(
    null,
    /^(off|\/.+)$/,
    "an absolute path, or off",
    "Unix socket of the inference endpoint, or off (default: run/inference.sock in the data directory)",
  ),
  inferenceQueue: integer(
    64,
    1,
    100_000,
    "requests of each priority that wait for the runtime; more are refused",
  ),
  inferenceRows: integer(16_384, 1, 1_000_000, "rows of one request, where the model lets them vary"),
  inferenceBodyMib: number(16, 0.001, 1024, "largest inference request"),
  inferenceThreads: integer(1, 1, 256, "threads that compute one inference"),
  inferenceSpinning: oneOf("off", ["on", "off"], "threads wait for work in a busy loop: quicker, never idle"),
  hangSeconds: number(10, 0.1, 3600, "longest silence of a runner before it is killed"),
  runnerMemoryMib: integer(
    0,
    0,
    16_777_216,
    "memory at which a runner is replaced by a fresh one; 0 shares half of the box's memory among all runners",
  ),
  crashBudget: integer(3, 1, 1000, "crashes within the window below that make a runner's models fall back"),
  crashWindowSeconds: number(600, 1, 86_400, "time in which crashes are counted together"),
  shadowReserveMib: number(
    64,
    0,
    1_000_000,
    "memory that stays free while a candidate release runs beside the live one",
  ),
  shadowCopyKib: integer(1024, 1, 65_536, "largest data of one request that is copied to a candidate"),
  measureSeconds: number(120, 1, 3600, "longest measurement of one variant on one provider"),
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
  exampleLookSeconds: number(30, 0.05, 86_400, "time between looks for hard examples to send"),
  exampleKibPerSecond: number(64, 0.1, 1_000_000, "share of the line that hard examples take"),
  outboxLimitMib: number(64, 0.01, 65_536, "most that the outbox keeps"),

  tpm: text(
    "auto",
    TPM_SETTING,
    "auto, off, device:PATH, swtpm:HOST:PORT or swtpm:unix:PATH",
    "TPM 2.0 of the box",
  ),
  measurementPcr: text(
    "23",
    /^(off|1[1-6]|23)$/,
    "off, 23 or a number from 11 to 16",
    "PCR into which the agent measures itself and its releases",
  ),
  evidenceMinutes: number(60, 0.001, 10_080, "longest time without evidence while nobody asks for it"),
  bootLog: text(
    "/sys/kernel/security/tpm0/binary_bios_measurements",
    /^\/.*$/,
    "an absolute path",
    "where the kernel shows the UEFI event log (Linux)",
  ),
  imaList: text(
    "/sys/kernel/security/ima/ascii_runtime_measurements",
    /^\/.*$/,
    "an absolute path",
    "where the kernel shows what IMA measured (Linux)",
  ),

  powerSampleSeconds: number(5, 0.05, 300, "time between two looks at temperature and power"),
  sysfs: text("/sys", /^\/.*$/, "an absolute path", "where the kernel shows its sensors (Linux)"),

  renewCheckSeconds: number(3600, 0.1, 86_400, "time between looks at the age of the certificate"),
  noticeSeconds: number(60, 0, 86_400, "shortest time between two events of the same code"),
  stopSeconds: number(5, 0.1, 60, "time to end in an orderly way"),
} as const satisfies Record<string, Setting<unknown>>;

export type SettingName = keyof typeof SETTINGS;
export type Settings = {
  [N in SettingName]: (typeof SETTINGS)[N] extends Setting<infer T> ? T : never;
};
