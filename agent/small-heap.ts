import { setFlagsFromString } from "node:v8";

/**
 * Young objects of the agent core are few, and its hot work (SQLite, TLS, JSON) is native: a young generation that
 * grows to V8's usual 16 MiB and an optimizing compiler would be kept in memory for nothing. Halves what the core
 * takes beyond a bare process; runners are not touched.
 */
export function keepHeapSmall(): void {
  for (const flag of [
    "--max-semi-space-size=1",
    "--semi-space-growth-factor=1",
    "--optimize-for-size",
    "--no-opt",
  ])
    setFlagsFromString(flag);
}
