import { Count, Millis, Name, SitePath } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";
import { NOTIFY_GROUPINGS } from "../../alerts/receiver.ts";
import { GROUPINGS, SEVERITIES } from "../../alerts/rule.ts";
import { SIGNAL_NAMES } from "../../alerts/signals.ts";
import { closed, MaybeMillis, oneOf, orNull } from "./common.ts";

const Text = Type.String();
const MaybeText = orNull(Text);
const Severity = oneOf(...SEVERITIES);

export const AlertResource = Type.Object(
  {
    id: Text,
    rule: Text,
    state: oneOf("pending", "firing", "resolved"),
    severity: Severity,
    summary: Text,
    remedy: Text,
    place: Type.Object(
      { device: MaybeText, name: MaybeText, site: MaybeText, hardwareClass: MaybeText, rollout: MaybeText },
      closed,
    ),
    signal: Text,
    value: Type.Number(),
    unit: Text,
    /** Devices that meet the condition, and devices of the group whose signal is known. */
    breaching: Count,
    members: Count,
    examples: Type.Array(Text),
    /** Since when the condition holds. */
    since: Millis,
    firedAt: MaybeMillis,
    /** Since when the condition is over, or nothing is known of it. */
    quietSince: MaybeMillis,
    unknownSince: MaybeMillis,
    resolvedAt: MaybeMillis,
    resolvedReason: MaybeText,
    /** Why it is not told. */
    muted: orNull(Type.Object({ by: oneOf("silence", "alert"), id: Text, sentence: Text }, closed)),
  },
  closed,
);
export type AlertResource = Static<typeof AlertResource>;

export const AlertList = Type.Object(
  {
    alerts: Type.Array(AlertResource),
    /** Cursor of the next page. */
    next: MaybeText,
  },
  closed,
);
export type AlertList = Static<typeof AlertList>;

const filter = {
  rule: Type.Optional(Name),
  /** This site and everything below it. */
  site: Type.Optional(SitePath),
  severity: Type.Optional(Severity),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  cursor: Type.Optional(Type.String({ maxLength: 200 })),
};
export const AlertFilter = Type.Object(
  {
    ...filter,
    state: Type.Optional(oneOf("pending", "firing")),
    /** False leaves out what is silenced or told by a wider alert. */
    muted: Type.Optional(Type.Boolean()),
  },
  closed,
);
export const HistoryFilter = Type.Object(filter, closed);

export const AlertRuleResource = Type.Object(
  {
    name: Text,
    signal: oneOf(...SIGNAL_NAMES),
    above: orNull(Type.Number()),
    below: orNull(Type.Number()),
    unit: Text,
    forSeconds: Count,
    keepFiringSeconds: Count,
    severity: Severity,
    selector: Text,
    groupBy: oneOf(...GROUPINGS),
    minDevices: Count,
    minPercent: Type.Number(),
    mutes: Type.Array(Text),
    summary: Text,
    remedy: Text,
    enabled: Type.Boolean(),
    builtIn: Type.Boolean(),
    changed: orNull(Type.Object({ at: Millis, by: Text }, closed)),
  },
  closed,
);
export type AlertRuleResource = Static<typeof AlertRuleResource>;
export const AlertRuleList = Type.Object({ rules: Type.Array(AlertRuleResource) }, closed);
export type AlertRuleList = Static<typeof AlertRuleList>;

export const SilenceResource = Type.Object(
  {
    id: Text,
    selector: Text,
    from: Millis,
    until: Millis,
    reason: Text,
    createdBy: Text,
    createdAt: Millis,
    state: oneOf("scheduled", "in-force", "ended"),
  },
  closed,
);
export type SilenceResource = Static<typeof SilenceResource>;
export const SilenceList = Type.Object({ silences: Type.Array(SilenceResource) }, closed);
export type SilenceList = Static<typeof SilenceList>;

const receiver = {
  name: Text,
  enabled: Type.Boolean(),
  selector: Text,
  minSeverity: Severity,
  groupBy: oneOf(...NOTIFY_GROUPINGS),
  groupWaitSeconds: Count,
  groupIntervalSeconds: Count,
  repeatSeconds: Count,
  sendResolved: Type.Boolean(),
  /** The password and the key of the signature are never told. */
  webhook: orNull(Type.Object({ url: Text, ca: MaybeText, timeoutMs: Count }, closed)),
  email: orNull(
    Type.Object(
      {
        host: Text,
        port: Count,
        tls: oneOf("starttls", "implicit", "none"),
        user: MaybeText,
        from: Text,
        to: Type.Array(Text),
        ca: MaybeText,
        timeoutMs: Count,
      },
      closed,
    ),
  ),
  changed: Type.Object({ at: Millis, by: Text }, closed),
  delivery: Type.Object(
    {
      waiting: Count,
      oldestWaitingAt: MaybeMillis,
      lastDeliveredAt: MaybeMillis,
      /** What delivery fails with now. */
      error: MaybeText,
      delivered: Count,
      /** Refused for good, or given up after a day. */
      lost: Count,
    },
    closed,
  ),
};
export const ReceiverResource = Type.Object(receiver, closed);
export type ReceiverResource = Static<typeof ReceiverResource>;
export const ReceiverList = Type.Object({ receivers: Type.Array(ReceiverResource) }, closed);
export type ReceiverList = Static<typeof ReceiverList>;

/** A key that was made for the signature is told in this answer and never again. */
export const WrittenReceiver = Type.Object({ ...receiver, madeSecret: MaybeText }, closed);
export type WrittenReceiver = Static<typeof WrittenReceiver>;

export const ReceiverTest = Type.Object({ delivered: Type.Literal(true), tookMs: Count }, closed);
export type ReceiverTest = Static<typeof ReceiverTest>;
