/** Devices that may be told on top of those at work; without end where the plan states no limit. */
export const roomInFlight = (maxInFlight: number | null, inFlight: number): number =>
  maxInFlight === null ? Number.POSITIVE_INFINITY : Math.max(0, maxInFlight - inFlight);
