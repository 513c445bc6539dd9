/**
 * Which part of the outbox is on its way: a pure window over `seq`. Batches count as sent until `down/ack`
 * covers them; the broker's PUBACK proves nothing.
 */
export interface DrainWindow {
  /** Everything up to here is acknowledged. */
  readonly acked: number;
  readonly inFlight: readonly { readonly upTo: number; readonly sentAt: number }[];
  /** Times in a row that no acknowledgement came. */
  readonly stalls: number;
}

export interface DrainRule {
  batchesInFlight: number;
  /** Wait for an acknowledgement, milliseconds; it doubles with each stall, up to eight times. */
  ackTimeoutMs: number;
}

/** `batchRecords` and `batchBytes` limit one batch. */
export interface DrainSettings extends DrainRule {
  batchRecords: number;
  batchBytes: number;
}

const MAX_STALL_FACTOR = 8;

export const openWindow = (acked: number): DrainWindow => ({ acked, inFlight: [], stalls: 0 });

/** The seq after which the next batch begins, or undefined while the window is full. */
export const nextAfter = (window: DrainWindow, rule: DrainRule): number | undefined =>
  window.inFlight.length < rule.batchesInFlight ? (window.inFlight.at(-1)?.upTo ?? window.acked) : undefined;

/** `now` is monotonic, milliseconds. */
export const afterSend = (window: DrainWindow, upTo: number, now: number): DrainWindow => ({
  ...window,
  inFlight: [...window.inFlight, { upTo, sentAt: now }],
});

/** The server works batch by batch: those behind an acknowledged one get their time from now on. */
export const afterAck = (window: DrainWindow, upTo: number, now: number): DrainWindow =>
  upTo <= window.acked
    ? window
    : {
        acked: upTo,
        inFlight: window.inFlight
          .filter((batch) => batch.upTo > upTo)
          .map((batch) => ({ ...batch, sentAt: now })),
        stalls: 0,
      };

/** When the oldest batch must be acknowledged, monotonic milliseconds, or undefined when none is on its way. */
export function ackDeadline(window: DrainWindow, rule: DrainRule): number | undefined {
  const [oldest] = window.inFlight;
  return oldest && oldest.sentAt + rule.ackTimeoutMs * Math.min(2 ** window.stalls, MAX_STALL_FACTOR);
}

/** Past the deadline everything is sent again from the acknowledged position. */
export function afterTime(window: DrainWindow, now: number, rule: DrainRule): DrainWindow {
  const deadline = ackDeadline(window, rule);
  if (deadline === undefined || now < deadline) return window;
  return { acked: window.acked, inFlight: [], stalls: window.stalls + 1 };
}
