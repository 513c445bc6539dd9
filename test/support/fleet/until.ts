import { setTimeout as delay } from "node:timers/promises";

/** Waits until the condition holds; fails after 10 s, which no healthy run comes near. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error("What was waited for did not happen.");
    await delay(5);
  }
}
