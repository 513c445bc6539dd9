import { MusterError } from "@muster/shared/errors";
import type { Alert, Muting } from "../alerts/alert.ts";
import type { HistoryQuery } from "../alerts/alert-book.ts";
import type { ReceiverView } from "../alerts/alerts.ts";
import type { RuleEntry } from "../alerts/rule-book.ts";
import { SIGNALS } from "../alerts/signals.ts";
import { isInForce, type Silence } from "../alerts/silence.ts";
import type {
  AlertResource,
  AlertRuleResource,
  ReceiverResource,
  SilenceResource,
} from "./schemas/alerts.ts";

export const alertResource = (alert: Alert, muted: Muting | null): AlertResource => {
  const { group: _group, examples, ...told } = alert;
  return { ...told, examples: [...examples], unit: SIGNALS[alert.signal]?.unit ?? "", muted };
};

export const ruleResource = ({ rule, builtIn, changed }: RuleEntry): AlertRuleResource => ({
  ...rule,
  unit: SIGNALS[rule.signal].unit,
  builtIn,
  changed,
});

export const silenceResource = (silence: Silence, now: number): SilenceResource => ({
  ...silence,
  state: isInForce(silence, now) ? "in-force" : silence.from > now ? "scheduled" : "ended",
});

export function receiverResource({ receiver, changed, status }: ReceiverView): ReceiverResource {
  const { target, ...told } = receiver;
  const { kind, ...server } = target;
  return {
    ...told,
    webhook: null,
    email: null,
    [kind]: server,
    changed,
    delivery: status,
  };
}

type Cursor = NonNullable<HistoryQuery["cursor"]>;

export const historyCursor = ({ resolvedAt, id }: Cursor): string => `${resolvedAt}.${id}`;

/** @throws MusterError `request.invalid` */
export function readHistoryCursor(text: string): Cursor {
  const [, at, id] = /^(\d{1,16})\.([A-Za-z0-9_-]{1,64})$/.exec(text) ?? [];
  if (at === undefined || id === undefined)
    throw new MusterError("request.invalid", `${text} is no cursor of a page of alerts.`);
  return { resolvedAt: Number(at), id };
}

/** A page of what is in memory: the cursor is the last alert of the page before. */
export function pageOf<T extends { id: string }>(
  all: readonly T[],
  { limit = 100, cursor }: { limit?: number | undefined; cursor?: string | undefined },
): { items: T[]; next: string | null } {
  const first = cursor === undefined ? 0 : all.findIndex(({ id }) => id === cursor) + 1;
  if (cursor !== undefined && first === 0)
    throw new MusterError("request.invalid", `${cursor} is not active any more: begin with the first page.`);
  const items = all.slice(first, first + limit);
  return { items, next: first + limit < all.length ? (items.at(-1)?.id ?? null) : null };
}
