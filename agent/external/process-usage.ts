import { readFileSync } from "node:fs";

/** Clock ticks in which Linux tells processor time to programs, of one second. */
const TICKS_PER_SECOND = 100;

/** Processor time, microseconds, and resident memory, bytes, of another process; zeros where it cannot be told. */
export function usageOf(pid: number | undefined): { cpuUs: number; rssBytes: number } {
  if (pid === undefined) return { cpuUs: 0, rssBytes: 0 };
  try {
    // The name in parentheses may hold anything; user and system time are fields 14 and 15, of waited-for children 16 and 17.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0;
    return { cpuUs: (ticks / TICKS_PER_SECOND) * 1e6, rssBytes: Number(kib) * 1024 };
  } catch {
    return { cpuUs: 0, rssBytes: 0 };
  }
}
