/** How one attempt to deliver ended. */
export type Attempt =
  | { outcome: "delivered"; note: string | null }
  /** The receiver will not take it, however often it is sent. */
  | { outcome: "refused"; error: string }
  /** It may be taken later; not before `retryAfterMs` where the receiver said so. */
  | { outcome: "failed"; error: string; retryAfterMs?: number };

/** Text that a receiver answered, fit for a log and a terminal. */
export const excerpt = (text: string): string =>
  text
    .replaceAll(/[^\x20-\x7e\u00a0-\uffff]+/g, " ")
    .trim()
    .slice(0, 200);
