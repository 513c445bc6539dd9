import { Name, Version } from "@muster/shared/protocol/primitives";
import { TIERS } from "@muster/shared/protocol/serving/tiers";
import { type Static, type TProperties, Type } from "typebox";

/** Every limit of sources and sinks with its default: the one place where they are decided. */
export const FEEDER_DEFAULTS = {
  queueLimit: 16,
  drop: "oldest",
  timeoutMs: 10_000,
  settleMs: 500,
  scanMs: 1000,
  maxMib: 16,
  sinkQueue: 256,
  sinkTimeoutMs: 10_000,
  sinkTries: 8,
} as const;

const Path = Type.String({ minLength: 1, maxLength: 1024 });
/** Path of a file whose first line is the secret: so that no secret stands in this file. */
const SecretFile = Type.Optional(Path);
const HttpUrl = Type.String({ pattern: "^https?://[^\\s@]+$", maxLength: 2048 });
const MqttUrl = Type.String({ pattern: "^mqtts?://[^\\s@/]+/?$", maxLength: 512 });

const object = <P extends TProperties>(properties: P) =>
  Type.Object(properties, { additionalProperties: false });

/** What a body is. Where it is left out it is told by the first bytes, the name or the server. */
const ContentType = Type.Enum([
  "image/jpeg",
  "image/png",
  "application/x-muster-signal",
  "application/json",
] as const);

const every = {
  /** Of its own among the sources. */
  name: Name,
  model: Name,
  version: Type.Optional(Version),
  /** Default `standard`. */
  tier: Type.Optional(Type.Enum([...TIERS])),
  /** When an answer is worth nothing any more, milliseconds; default 10,000. */
  timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 600_000 })),
  /** Most requests in a second; default no limit. */
  maxPerSecond: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1000 })),
  contentType: Type.Optional(ContentType),
  /** Largest body, MiB; default 16. */
  maxMib: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 256 })),
  /** Names of sinks that get the results; default all. */
  sinks: Type.Optional(Type.Array(Name, { maxItems: 16, uniqueItems: true })),
};

/** What waits while the runner is busy. A full queue drops the oldest (default) or the newest. */
const queue = {
  queue: Type.Optional(
    object({
      limit: Type.Integer({ minimum: 1, maximum: 10_000 }),
      drop: Type.Optional(Type.Enum(["oldest", "newest"] as const)),
    }),
  ),
};

/** What becomes of a file: it stays and is not taken again, goes, or goes to another folder. */
const FileRule = Type.Union([
  Type.Literal("keep"),
  Type.Literal("delete"),
  object({ move: Type.String({ minLength: 1, maxLength: 1024, pattern: "^/" }) }),
]);
export type FileRule = Static<typeof FileRule>;

const FileSource = object({
  kind: Type.Literal("file"),
  ...every,
  /** Folder, or folder with a pattern of `*` and `?` as the last part. */
  path: Type.String({ minLength: 2, maxLength: 1024, pattern: "^/" }),
  /** Default `keep`. */
  done: Type.Optional(FileRule),
  /** For files that the runner refuses for good; default `keep`. */
  failed: Type.Optional(FileRule),
  /** A file is whole when it has not changed for so long, milliseconds; default 500. */
  settleMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 600_000 })),
  /** Time between looks into the folder, milliseconds; default 1000. */
  scanMs: Type.Optional(Type.Integer({ minimum: 10, maximum: 3_600_000 })),
});
export type FileSource = Static<typeof FileSource>;

const HttpSource = object({
  kind: Type.Literal("http"),
  ...every,
  ...queue,
  url: HttpUrl,
  everyMs: Type.Integer({ minimum: 10, maximum: 86_400_000 }),
  /** Basic authentication. */
  username: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
  passwordFile: SecretFile,
  /** CA or certificate of the server, PEM. */
  caFile: Type.Optional(Path),
  /** Leave out a body that is the same as the one before; default false. */
  skipSame: Type.Optional(Type.Boolean()),
});
export type HttpSource = Static<typeof HttpSource>;

const broker = {
  url: MqttUrl,
  username: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
  passwordFile: SecretFile,
  caFile: Type.Optional(Path),
  certFile: Type.Optional(Path),
  keyFile: Type.Optional(Path),
};
const Qos = Type.Optional(Type.Integer({ minimum: 0, maximum: 2 }));

const MqttSource = object({
  kind: Type.Literal("mqtt"),
  ...every,
  ...queue,
  ...broker,
  /** Topic filter. */
  topic: Type.String({ minLength: 1, maxLength: 512 }),
  /** Default 0. */
  qos: Qos,
});
export type MqttSource = Static<typeof MqttSource>;

/** Where inputs come from beside the applications of the box. */
export const Source = Type.Union([FileSource, HttpSource, MqttSource]);
export type Source = Static<typeof Source>;

const everySink = {
  /** Of its own among the sinks. */
  name: Name,
  /** Results that wait; beyond it the oldest is dropped. Default 256. */
  queueLimit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
  /** Milliseconds; default 10,000. */
  timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 600_000 })),
  /** Tries before a result is given up; default 8. */
  tries: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
};

const WebhookSink = object({
  kind: Type.Literal("webhook"),
  ...everySink,
  url: HttpUrl,
  /** Key of the signature; without it nothing is signed. */
  secretFile: SecretFile,
  caFile: Type.Optional(Path),
});
export type WebhookSink = Static<typeof WebhookSink>;

const MqttSink = object({
  kind: Type.Literal("mqtt"),
  ...everySink,
  ...broker,
  /** Topic with `{source}`, `{model}`, `{version}` and `{id}`. */
  topic: Type.String({ minLength: 1, maxLength: 512, pattern: "^[^#+]*$" }),
  /** Default 0. */
  qos: Qos,
  /** Default false. */
  retain: Type.Optional(Type.Boolean()),
});
export type MqttSink = Static<typeof MqttSink>;

/** Where results of sources go beside the outbox, which has them all. */
export const Sink = Type.Union([WebhookSink, MqttSink]);
export type Sink = Static<typeof Sink>;

/** What all connections to a broker are made of. */
export type Broker = Pick<
  MqttSource,
  "url" | "username" | "passwordFile" | "caFile" | "certFile" | "keyFile"
>;
