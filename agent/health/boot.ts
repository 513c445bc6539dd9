import { readFileSync } from "node:fs";

/** Id of this boot of the machine, as the kernel tells it; `fallback` where it does not. */
export function bootId(fallback: () => string): string {
  try {
    const id = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return /^[A-Za-z0-9_-]{8,64}$/.test(id) ? id : fallback();
  } catch {
    return fallback();
  }
}
