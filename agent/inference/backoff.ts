/** Wait before restart number `attempt` (0 for the first), seconds: doubles from `min` up to `max`. */
export const restartDelay = (attempt: number, min: number, max: number): number =>
  Math.min(max, min * 2 ** Math.min(attempt, 40));
