/** Sums are kept by 5 minutes and by hour, both of the clock of the control plane (UTC). Milliseconds. */
export const BUCKET_MS = 300_000;
export const HOUR_MS = 3_600_000;

/** Begin of the span that holds the moment. */
export const bucketOf = (at: number): number => at - (at % BUCKET_MS);
export const hourOf = (at: number): number => at - (at % HOUR_MS);
