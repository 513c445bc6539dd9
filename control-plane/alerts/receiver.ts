import { MusterError } from "@muster/shared/errors";
import { type Static, Type } from "typebox";
import { parseSelector } from "../fleet/selector.ts";
import { SEVERITIES, type Severity } from "./rule.ts";

/** How alerts are put together in one notification: by rule, by site, or each alert alone. */
export const NOTIFY_GROUPINGS = ["rule", "site", "alert"] as const;

const Pem = Type.String({ pattern: "^-----BEGIN CERTIFICATE-----", maxLength: 65_536 });
const Address = Type.String({ pattern: "^[^@\\s<>\"',;]+@[^@\\s<>\"',;]+$", maxLength: 254 });
const Host = Type.String({ pattern: "^[A-Za-z0-9.:-]+$", maxLength: 253 });

const WebhookInput = Type.Object(
  {
    /** http or https; loopback and private addresses are welcome, redirects are not followed. */
    url: Type.String({ minLength: 1, maxLength: 2000 }),
    /** Key of the signature; one is made where none is given. */
    secret: Type.Optional(Type.String({ minLength: 16, maxLength: 256 })),
    /** CA that the receiver's certificate must come from, instead of the well-known ones. */
    ca: Type.Optional(Pem),
    /** Longest wait for the answer; 10 000. */
    timeoutMs: Type.Optional(Type.Integer({ minimum: 100, maximum: 120_000 })),
  },
  { additionalProperties: false },
);

const EmailInput = Type.Object(
  {
    host: Host,
    /** 587, and 465 with `implicit`. */
    port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
    /** `starttls` demands it, `implicit` speaks TLS from the first byte, `none` never does; `starttls`. */
    tls: Type.Optional(Type.Enum(["starttls", "implicit", "none"])),
    user: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    password: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })),
    from: Address,
    to: Type.Array(Address, { minItems: 1, maxItems: 50 }),
    ca: Type.Optional(Pem),
    /** 30 000. */
    timeoutMs: Type.Optional(Type.Integer({ minimum: 100, maximum: 120_000 })),
  },
  { additionalProperties: false },
);

const Seconds = (maximum: number) => Type.Integer({ minimum: 0, maximum });

/** A receiver as it is written. A secret that is left out stays as it was. */
export const ReceiverInput = Type.Object(
  {
    webhook: Type.Optional(WebhookInput),
    email: Type.Optional(EmailInput),
    enabled: Type.Optional(Type.Boolean()),
    /** Alerts that it is told of; all. */
    selector: Type.Optional(Type.String({ maxLength: 1000 })),
    /** `info`, which is all. */
    minSeverity: Type.Optional(Type.Enum(SEVERITIES)),
    /** `rule`: one notification for each rule, over all sites. */
    groupBy: Type.Optional(Type.Enum(NOTIFY_GROUPINGS)),
    /** Time in which the first alerts of a group come together; 30. */
    groupWaitSeconds: Type.Optional(Seconds(3600)),
    /** Least time between two notifications of a group; 300. */
    groupIntervalSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 86_400 })),
    /** After this an unchanged group is told again; 14 400. */
    repeatSeconds: Type.Optional(Type.Integer({ minimum: 60, maximum: 30 * 86_400 })),
    /** True. */
    sendResolved: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
export type ReceiverInput = Static<typeof ReceiverInput>;

export interface WebhookTarget {
  kind: "webhook";
  url: string;
  ca: string | null;
  timeoutMs: number;
}

export interface EmailTarget {
  kind: "email";
  host: string;
  port: number;
  tls: "starttls" | "implicit" | "none";
  user: string | null;
  from: string;
  to: string[];
  ca: string | null;
  timeoutMs: number;
}

/** Whom alerts are told. Its secret is kept apart and never leaves the control plane. */
export interface Receiver {
  name: string;
  enabled: boolean;
  selector: string;
  minSeverity: Severity;
  groupBy: (typeof NOTIFY_GROUPINGS)[number];
  groupWaitSeconds: number;
  groupIntervalSeconds: number;
  repeatSeconds: number;
  sendResolved: boolean;
  target: WebhookTarget | EmailTarget;
}

/**
 * The receiver with its defaults.
 * @throws MusterError `alert.receiver-invalid`, or what the selector is refused with
 */
export function completeReceiver(name: string, input: ReceiverInput): Receiver {
  parseSelector(input.selector ?? "");
  return {
    name,
    enabled: input.enabled ?? true,
    selector: input.selector ?? "",
    minSeverity: input.minSeverity ?? "info",
    groupBy: input.groupBy ?? "rule",
    groupWaitSeconds: input.groupWaitSeconds ?? 30,
    groupIntervalSeconds: input.groupIntervalSeconds ?? 300,
    repeatSeconds: input.repeatSeconds ?? 14_400,
    sendResolved: input.sendResolved ?? true,
    target: targetOf(name, input),
  };
}

/** The secret that the input brings, if any. */
export const secretOf = ({ webhook, email }: ReceiverInput): string | undefined =>
  webhook?.secret ?? email?.password;

function targetOf(name: string, { webhook, email }: ReceiverInput): WebhookTarget | EmailTarget {
  const invalid = (why: string): never => {
    throw new MusterError("alert.receiver-invalid", `${name}: ${why}`);
  };
  if (webhook && !email) {
    const url = URL.canParse(webhook.url) ? new URL(webhook.url) : undefined;
    if (!url || !/^https?:$/.test(url.protocol)) return invalid("the URL of a webhook is http or https.");
    if (url.username || url.password)
      return invalid("a URL with a password in it would be shown: use the signature.");
    return { kind: "webhook", url: url.href, ca: webhook.ca ?? null, timeoutMs: webhook.timeoutMs ?? 10_000 };
  }
  if (email && !webhook) {
    const tls = email.tls ?? "starttls";
    if (email.password !== undefined && email.user === undefined) return invalid("a password needs a user.");
    if (email.password !== undefined && tls === "none") return invalid("a password is not sent without TLS.");
    return {
      kind: "email",
      host: email.host,
      port: email.port ?? (tls === "implicit" ? 465 : 587),
      tls,
      user: email.user ?? null,
      from: email.from,
      to: email.to,
      ca: email.ca ?? null,
      timeoutMs: email.timeoutMs ?? 30_000,
    };
  }
  return invalid("it takes exactly one of `webhook` and `email`.");
}
