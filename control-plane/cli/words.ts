/** How figures are said to people: short, one unit, no false precision. */

const STEPS: readonly [limit: number, divisor: number, unit: string][] = [
  [60_000, 1000, "s"],
  [3_600_000, 60_000, "min"],
  [86_400_000, 3_600_000, "h"],
  [Number.POSITIVE_INFINITY, 86_400_000, "d"],
];

/** A length of time in milliseconds, e.g. `42 s`, `3 min`, `5 d`. */
export function duration(millis: number): string {
  const length = Math.max(0, millis);
  const [, divisor, unit] = STEPS.find(([limit]) => length < limit) ?? [0, 86_400_000, "d"];
  return `${Math.round(length / divisor)} ${unit}`;
}

/** A moment as people write it, in UTC to the second. */
export const timestamp = (millis: number): string =>
  `${new Date(millis).toISOString().slice(0, 19).replace("T", " ")}Z`;

/** How long ago, or how far ahead, a moment is. */
export function ago(moment: number | null | undefined, now: number): string {
  if (moment === null || moment === undefined) return "never";
  return moment > now ? `in ${duration(moment - now)}` : `${duration(now - moment)} ago`;
}

/** Bytes in binary units, e.g. `3.4 MiB`. */
export function bytes(count: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = count;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit += 1) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** A bar of `width` characters for a share of 0 to 1. */
export function bar(share: number, width: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return "█".repeat(full) + "░".repeat(width - full);
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of `90s`, `30m`, `12h` or `7d`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, figure, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  return figure && unit ? Number(figure) * (UNITS[unit] ?? 0) : undefined;
}
