/** Upper bounds of the latency bins, milliseconds: a factor of about 1.6 from 0.1 ms to 10 s. */
export const LATENCY_EDGES_MS: readonly number[] = [
  0.1, 0.16, 0.25, 0.4, 0.63, 1, 1.6, 2.5, 4, 6.3, 10, 16, 25, 40, 63, 100, 160, 250, 400, 630, 1000, 2500,
  10_000,
];

/** Upper bounds of the confidence bins: fine near 1, where the scores of a sure model lie. */
export const CONFIDENCE_EDGES: readonly number[] = [
  0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999,
];
