import { printWindow } from "@muster/shared/time/weekly-window";
import type { FreezeResource } from "../api/schemas/freezes.ts";
import type { DeviceRolloutList, RolloutDeviceList, RolloutResource } from "../api/schemas/rollouts.ts";
import type { SiteResource } from "../api/schemas/targeting.ts";
import { failureText, releaseName } from "./names.ts";
import { SITUATION_WORDS } from "./rollout-words.ts";
import { ago } from "./words.ts";

type Part = RolloutDeviceList["devices"][number];
type HoldReason = NonNullable<Part["held"]>;

/** What keeps devices from being told just now; docs/pacing.md has the rules. */
const HELD_BY: Readonly<Record<HoldReason, string>> = {
  withheld: "what attestation found",
  offline: "being offline",
  retry: "the wait before a retry",
  freeze: "a freeze",
  window: "the maintenance window",
  "other-rollout": "another rollout",
  "in-flight": "the limit in flight",
  "blast-radius": "the blast radius",
  uplink: "the uplink of the site",
  pace: "the pace",
  tick: "the next tick",
};

/** Counts of held devices by their reasons in one line; empty where none is held. */
export const heldText = (held: RolloutResource["held"]): string =>
  Object.entries(held)
    .map(([reason, devices]) => `${devices} by ${HELD_BY[reason as HoldReason]}`)
    .join(", ");

/** What is known of the place of a device, to say more of what holds it. */
export interface Around {
  freezes?: readonly FreezeResource[];
  /** Time zone of its site, and the windows that hold there for the rollout. */
  terms?: Pick<SiteResource["effective"], "timeZone" | "windows">;
}

const covers = ({ site, state }: FreezeResource, place: string): boolean =>
  state === "active" && (site === null || site === place || place.startsWith(`${site}/`));

/** Freezes that hold at a site now, each in one line. */
export const freezesAt = (freezes: readonly FreezeResource[], site: string, now: number): string[] =>
  freezes
    .filter((freeze) => covers(freeze, site))
    .map(
      ({ id, site: tree, createdBy, reason, to }) =>
        `${id} ${tree === null ? "everywhere" : `at ${tree}`} by ${createdBy}, ends ${ago(to, now)}: ${reason}`,
    );

function heldSentence(reason: HoldReason, { site, notBefore }: Part, now: number, around: Around): string {
  const { freezes = [], terms } = around;
  const text = `held by ${HELD_BY[reason]}`;
  if (reason === "freeze") {
    const [freeze] = freezesAt(freezes, site, now);
    return freeze === undefined ? text : `held by the freeze ${freeze}`;
  }
  if (reason === "window" && terms && terms.windows.length > 0)
    return `${text} (${terms.windows.map(printWindow).join("; ")}, ${terms.timeZone})`;
  if (reason === "retry" && notBefore !== null) return `${text}, which is over ${ago(notBefore, now)}`;
  return text;
}

const STILL: ReadonlySet<RolloutResource["state"]> = new Set([
  "paused",
  "aborting",
  "aborted",
  "reverting",
  "reverted",
]);

/**
 * Where a device stands in its rollout and what keeps it, in one line.
 * @param rollout the state of the rollout and the number of its open wave
 */
export function standingText(
  part: Part,
  rollout: { state: RolloutResource["state"]; openWave: number | null },
  now: number,
  around: Around = {},
): string {
  const { situation, wave, held, phase, attempts, failure, toldAt } = part;
  const word = SITUATION_WORDS[situation as keyof typeof SITUATION_WORDS] ?? situation;
  const toBeTold = situation === "waiting" || situation === "offline" || situation === "retrying";
  const { withheldBecause } = part;
  const told = situation === "pending" || situation === "silent";
  const why = [
    ...(toBeTold && STILL.has(rollout.state) ? [`the rollout is ${rollout.state}`] : []),
    ...(toBeTold && held === null && rollout.openWave !== null && wave > rollout.openWave
      ? [`wave ${rollout.openWave} is open`]
      : []),
    ...(toBeTold && held !== null && held !== situation ? [heldSentence(held, part, now, around)] : []),
    ...(told ? [`told ${ago(toldAt, now)}`, phase ?? "not taken up yet"] : []),
    ...(attempts > 1 ? [`attempt ${attempts}`] : []),
    ...(failure ? [failureText(failure)] : []),
  ];
  const because = withheldBecause === null ? "" : `withheld: ${withheldBecause}`;
  if (situation === "withheld") return [because, ...why].join(", ");
  return [word, ...why, ...(because === "" ? [] : [because])].join(", ");
}

/** A rollout as one of its devices sees it, in one line. */
export const rolloutOfDevice = (
  part: DeviceRolloutList["rollouts"][number],
  now: number,
  around: Around,
): string =>
  `${part.rollout} to ${releaseName(part.release)} (${part.state}): wave ${part.wave}, ${standingText(part, part, now, around)}`;
