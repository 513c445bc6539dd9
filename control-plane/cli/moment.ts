import { MusterError } from "@muster/shared/errors";
import { parseDuration } from "./words.ts";

const ISO = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))$/;

/**
 * A moment in milliseconds since the epoch: `now`, a span from now such as `+2h`, or ISO 8601 with its offset,
 * e.g. `2026-12-24T18:00+01:00`. Without an offset nobody could tell whose clock is meant.
 * @param option name of the option, for the error
 * @throws MusterError `settings.invalid`
 */
export function parseMoment(text: string, now: number, option: string): number {
  if (text === "now") return now;
  const span = text.startsWith("+") ? parseDuration(text.slice(1)) : undefined;
  const moment = span === undefined ? (ISO.test(text) ? Date.parse(text) : Number.NaN) : now + span;
  if (Number.isNaN(moment))
    throw new MusterError(
      "settings.invalid",
      `${option} ${text} is no moment: write +2h, or 2026-12-24T18:00+01:00 with the offset or Z.`,
    );
  return moment;
}
