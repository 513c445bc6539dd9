import { isMusterError } from "@muster/shared/errors";
import { type EventLog, parseEventLog, replay } from "@muster/shared/tpm/event-log";
import type { HashName } from "@muster/shared/tpm/hash";
import type { PolicyContent } from "../policy/policy.ts";
import type { FirmwareState, ReferenceSet } from "../references/reference-set.ts";
import type { Finding } from "../verdict.ts";
import { finding } from "./findings.ts";
import type { KnownPcrs } from "./history.ts";
import { causeOf, differenceOf, secureBootOff } from "./log-difference.ts";
import { isFirmwarePcr, pcrWords } from "./pcrs.ts";

/** Proven values of one bank, hex by PCR. */
export type ProvenValues = Readonly<Record<string, string>>;

export interface FirmwareFacts {
  readonly bank: HashName;
  /** Those that policy looks at, as far as they are proven. */
  readonly values: ProvenValues;
  /** As it came, unpacked; null where there is none. */
  readonly bootLog: Uint8Array | null;
  readonly references: readonly ReferenceSet[];
  readonly policy: Pick<PolicyContent, "unknownClass" | "unknownFirmware">;
  /** What was proven last, whichever boot that was. */
  readonly before: KnownPcrs | null;
  readonly resetCount: number;
}

export interface FirmwareJudged {
  readonly findings: readonly Finding[];
  /** The listed state that the box is in; null where it is in none. */
  readonly state: string | null;
}

/** Compares what the firmware measured with the reference sets, and says what a difference most likely means. */
export function judgeFirmware(facts: FirmwareFacts): FirmwareJudged {
  const zero = Object.entries(facts.values).filter(
    ([pcr, value]) => isFirmwarePcr(Number(pcr)) && /^0+$/.test(value),
  );
  if (zero.length > 0) return { findings: [allZero(zero.map(([pcr]) => Number(pcr)))], state: null };
  const states = facts.references
    .flatMap(({ firmware = [] }) => firmware)
    .filter((state) => speaks(state, facts));
  const log = readLog(facts);
  if (states.length === 0)
    return { findings: [...withoutReference(facts), ...log.findings("contraindicated")], state: null };
  const match = states.find((state) => differing(state, facts).length === 0);
  if (match) {
    const former = facts.before?.firmware;
    const updated =
      former && former !== match.name
        ? [
            finding(
              "hardware",
              "information",
              "attestation.firmware-updated",
              "firmware-update",
              `Its firmware changed from ${former} to ${match.name}; the reference sets list both.`,
            ),
          ]
        : [];
    return { findings: [...updated, ...log.findings("warning")], state: match.name };
  }
  return {
    findings: [unknownState(states, facts, log.log), ...log.findings("contraindicated")],
    state: null,
  };
}

/** Values of a state in the bank that was quoted. */
const goldenOf = (state: FirmwareState, bank: HashName): Readonly<Record<string, string>> =>
  (bank === "sha256" || bank === "sha384" ? state.pcrs[bank] : undefined) ?? {};

const speaks = (state: FirmwareState, { bank, values }: FirmwareFacts): boolean =>
  Object.keys(goldenOf(state, bank)).some((pcr) => values[pcr] !== undefined);

const differing = (state: FirmwareState, { bank, values }: FirmwareFacts): number[] =>
  Object.entries(goldenOf(state, bank))
    .filter(([pcr, golden]) => values[pcr] !== undefined && values[pcr] !== golden)
    .map(([pcr]) => Number(pcr));

const allZero = (pcrs: readonly number[]): Finding =>
  finding(
    "hardware",
    "contraindicated",
    "attestation.pcr-zero",
    "fault",
    `${pcrWords(pcrs)} ${pcrs.length === 1 ? "is" : "are"} all zeros: its firmware measured nothing, so that nothing is known of how it booted.`,
  );

function withoutReference({ policy, values, before, resetCount, bank }: FirmwareFacts): Finding[] {
  if (Object.keys(values).length === 0) return [];
  const none = finding(
    "hardware",
    policy.unknownClass,
    "attestation.no-reference",
    "unknown",
    "No reference set says what the firmware of such a box measures: its boot is proven, but not compared with anything.",
  );
  const changed =
    before?.bank === bank
      ? Object.entries(values).flatMap(([pcr, value]) => {
          const former = before.values[pcr];
          return former !== undefined && former !== value ? [Number(pcr)] : [];
        })
      : [];
  if (changed.length === 0) return [none];
  const sameBoot = before?.resetCount === resetCount;
  return [
    none,
    finding(
      "hardware",
      sameBoot ? "contraindicated" : "warning",
      "attestation.firmware-changed",
      causeOf(changed, sameBoot, undefined),
      `${pcrWords(changed)} changed since it was last heard${
        sameBoot
          ? " without a restart: something else than the firmware wrote there"
          : " and no reference set tells whether it may: an update of firmware or boot loader, or somebody was at the box"
      }.`,
    ),
  ];
}

const MEANING: Readonly<Record<string, string>> = {
  "firmware-update":
    "most likely its firmware was updated. If you did that, learn and import the new values; if not, treat it as an attack",
  drift:
    "most likely settings or the boot loader were changed. If you did that, learn and import the new values; if not, look at the box",
  attack: "nothing that you do by plan brings this about: treat it as an attack",
};

function unknownState(
  states: readonly FirmwareState[],
  facts: FirmwareFacts,
  log: EventLog | undefined,
): Finding {
  const { before, policy, resetCount } = facts;
  const former = states.find(({ name }) => name === before?.firmware);
  const nearest =
    former ?? states.toSorted((a, b) => differing(a, facts).length - differing(b, facts).length)[0]!;
  const pcrs = differing(nearest, facts);
  const sameBoot = former !== undefined && before?.resetCount === resetCount;
  const cause = causeOf(pcrs, sameBoot, log && secureBootOff(log));
  const golden = nearest.events ?? [];
  const words = log
    ? pcrs.flatMap((pcr) => {
        const difference = differenceOf(log, golden, pcr);
        return difference === undefined ? [] : [`PCR ${pcr}: ${difference}`];
      })
    : [];
  const off = log && secureBootOff(log) === true && pcrs.includes(7) ? " Secure Boot is off." : "";
  const detail = words.length > 0 ? ` (${words.join(" | ")})` : "";
  const message = `${pcrWords(pcrs)} ${pcrs.length === 1 ? "is" : "are"} not as in ${nearest.name}${detail}: ${
    sameBoot ? "it changed while the box went on running, and " : ""
  }${MEANING[cause]}.${off}`;
  return finding(
    "hardware",
    policy.unknownFirmware,
    "attestation.firmware-unknown",
    cause,
    message.slice(0, 1_000),
  );
}

interface ReadLog {
  log: EventLog | undefined;
  findings(weight: "warning" | "contraindicated"): Finding[];
}

/** The log explains PCRs and never excuses them: where it does not lead to the quoted values, it is not believed. */
function readLog({ bootLog, bank, values }: FirmwareFacts): ReadLog {
  if (!bootLog) return { log: undefined, findings: () => [] };
  const lie = (message: string): ReadLog => ({
    log: undefined,
    findings: (weight) => [
      finding(
        "hardware",
        weight,
        "attestation.log-mismatch",
        weight === "warning" ? "fault" : "attack",
        weight === "warning"
          ? `${message}, but the PCRs themselves are as they should be: its firmware logs wrongly.`
          : `${message}, and nothing else tells what was measured: the log was changed, or its firmware logs wrongly.`,
      ),
    ],
  });
  let log: EventLog;
  let replayed: Map<number, string>;
  try {
    log = parseEventLog(bootLog);
    replayed = replay(log, bank);
  } catch (error) {
    if (isMusterError(error, "attestation.log-malformed"))
      return lie(`Its boot log cannot be read (${error.message})`);
    throw error;
  }
  const wrong = Object.entries(values)
    .filter(([pcr, value]) => isFirmwarePcr(Number(pcr)) && replayed.get(Number(pcr)) !== value)
    .map(([pcr]) => Number(pcr));
  if (wrong.length > 0) return lie(`Its boot log does not give the value of ${pcrWords(wrong)}`);
  return { log, findings: () => [] };
}
