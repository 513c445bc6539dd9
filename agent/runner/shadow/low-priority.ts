import { readdirSync } from "node:fs";
import { constants, setPriority } from "node:os";

const THREADS = "/proc/self/task";

/**
 * Lets everything else on the box go first: nice 19. On Linux that is a matter of each thread, and those that the
 * runtime has started already keep what they had.
 */
export function lowerPriority(): void {
  setPriority(constants.priority.PRIORITY_LOW);
  for (const thread of threads())
    try {
      setPriority(thread, constants.priority.PRIORITY_LOW);
    } catch {
      // A thread that has ended meanwhile needs no priority.
    }
}

function threads(): number[] {
  try {
    return readdirSync(THREADS).map(Number);
  } catch {
    // Not Linux: the process has one priority.
    return [];
  }
}
