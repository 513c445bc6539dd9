import type { BootEvent, EventLog } from "@muster/shared/tpm/event-log";
import { EV } from "@muster/shared/tpm/event-types";
import type { GoldenEvent } from "../references/reference-set.ts";
import type { Cause } from "../verdict.ts";

/** Events named for one PCR. */
const MOST_NAMED = 3;
/** Most characters of one description. */
const MOST_WORDS = 90;

const extended = (log: EventLog, pcr: number): BootEvent[] =>
  log.events.filter((event) => event.pcr === pcr && event.type !== EV.NO_ACTION);

const short = (text: string): string => (text.length > MOST_WORDS ? `${text.slice(0, MOST_WORDS)}…` : text);

/** Events of a box as a reference set keeps them. */
export const goldenEvents = (log: EventLog, pcrs: readonly number[]): GoldenEvent[] =>
  log.events.flatMap((event) => {
    const digest = event.digests.sha256;
    if (!pcrs.includes(event.pcr) || event.type === EV.NO_ACTION || digest === undefined) return [];
    return [{ pcr: event.pcr, type: event.typeName, digest, description: event.description.slice(0, 200) }];
  });

/**
 * What a box measured into one PCR that the golden one did not, and the other way round, in words.
 * @returns undefined where the logs do not differ there, or the golden one has nothing of it
 */
export function differenceOf(log: EventLog, golden: readonly GoldenEvent[], pcr: number): string | undefined {
  const here = extended(log, pcr);
  const there = golden.filter((event) => event.pcr === pcr);
  if (there.length === 0) return undefined;
  const known = new Set(there.map(({ digest }) => digest));
  const has = new Set(here.flatMap(({ digests }) => digests.sha256 ?? []));
  const added = here
    .map((event, index) => ({ event, index }))
    .filter(({ event }) => !known.has(event.digests.sha256 ?? ""))
    .map(({ event, index }) => `event ${index} is new: ${short(event.description)} (${event.typeName})`);
  const gone = there
    .filter(({ digest }) => !has.has(digest))
    .map(({ type, description = "" }) => `missing: ${short(description)} (${type})`);
  const all = [...added, ...gone];
  if (all.length === 0)
    return here.length === there.length ? undefined : "the same events came in another number or order";
  const more = all.length > MOST_NAMED ? `, and ${all.length - MOST_NAMED} more` : "";
  return `${all.slice(0, MOST_NAMED).join("; ")}${more}`;
}

/** Whether the log says that Secure Boot is off; undefined where it does not say. */
export function secureBootOff(log: EventLog): boolean | undefined {
  const event = log.events.find(
    ({ pcr, type, description }) =>
      pcr === 7 && type === EV.EFI_VARIABLE_DRIVER_CONFIG && /Secure ?Boot is o(n|ff)/i.test(description),
  );
  return event && /is off/i.test(event.description);
}

/** What most likely changed the PCRs, by what is measured into them. */
export function causeOf(pcrs: readonly number[], sameBoot: boolean, bootOff: boolean | undefined): Cause {
  // Firmware measures while the box starts: afterwards only somebody else extends its PCRs.
  if (sameBoot) return "attack";
  if (pcrs.includes(7) && bootOff === true) return "attack";
  if (pcrs.every((pcr) => pcr === 0 || pcr === 2 || pcr === 1 || pcr === 3 || pcr === 6))
    return pcrs.includes(0) || pcrs.includes(2) ? "firmware-update" : "drift";
  if (pcrs.includes(0)) return "firmware-update";
  return "drift";
}
