import {
  extensionDigestOf,
  type Measurement,
  MOST_EXTENSIONS,
  type TpmEvidence,
} from "@muster/shared/protocol/evidence";
import { HASH_SIZE, type HashName } from "@muster/shared/tpm/hash";
import { extendPcr, type PcrValues, resetPcr } from "@muster/shared/tpm/pcr";
import type { Finding } from "../verdict.ts";
import { finding } from "./findings.ts";
import type { KnownPcrs } from "./history.ts";

type Own = NonNullable<TpmEvidence["own"]>;

/** Extensions since the PCR began with zeros. */
export const measuredCount = (own: Own | null): number => (own ? own.extensions.length + own.dropped : 0);

/**
 * Compares the agent's PCR with the list that it tells, and the list with what it says it runs.
 * @param pcrs those that the quote proves
 * @param before what was proven before since the PCR began with zeros; null for the first time
 * @param hasMeasured whether the device ever told such a list
 */
export function judgeOwnPcr(
  own: Own | null,
  measurement: Measurement,
  pcrs: PcrValues,
  before: KnownPcrs | null,
  hasMeasured: boolean,
): Finding[] {
  if (!own)
    return hasMeasured
      ? [
          finding(
            "executables",
            "warning",
            "attestation.measurement-log",
            "unknown",
            "It told before what its agent measures into a PCR, and does not any more: that was switched off at the box, or is kept back.",
          ),
        ]
      : [];
  const contraindicated = (message: string): Finding[] => [
    finding("executables", "contraindicated", "attestation.measurement-log", "attack", message),
  ];
  const bank = (["sha256", "sha384"] as const).find((each) => pcrs[each]?.[own.pcr]);
  const quoted = bank && pcrs[bank]?.[own.pcr];
  if (!bank || !quoted)
    return contraindicated(
      `It tells what it measured into PCR ${own.pcr}, but its TPM did not quote that PCR.`,
    );
  if (!isWhole(own))
    return contraindicated(
      `Its list of what it measured into PCR ${own.pcr} does not begin where that PCR began: a part of it is kept back.`,
    );
  const told = replayOwn(bank, own);
  if (told === undefined)
    return [
      finding(
        "executables",
        "information",
        "attestation.measurement-log",
        "unknown",
        `Its list of measurements is longer than what it tells, and cannot be compared in the bank ${bank}.`,
      ),
    ];
  if (!told.equals(Buffer.from(quoted)))
    return contraindicated(
      `What it says it measured does not give the value of PCR ${own.pcr}: something else extended it, or the agent was replaced.`,
    );
  const findings: Finding[] = [];
  if (before && measuredCount(own) < before.measured)
    findings.push(
      finding(
        "executables",
        "warning",
        "attestation.measurement-reset",
        "attack",
        `PCR ${own.pcr} began anew while the box went on running: the system of the box took back what the agent had measured.`,
      ),
    );
  const agent = own.extensions.findLast(({ what }) => what === "agent");
  if (!agent && own.dropped === 0)
    findings.push(...contraindicated(`PCR ${own.pcr} holds no measurement of its agent.`));
  if (agent && agent.digest !== measurement.agent.digest)
    findings.push(
      ...contraindicated("The agent that its TPM measured last is another one than the agent that it names."),
    );
  const release = own.extensions.findLast(({ what }) => what === "release");
  if (release && measurement.release && release.digest !== measurement.release.digest)
    findings.push(
      ...contraindicated(
        "The release that its TPM measured last is another one than the release that it names.",
      ),
    );
  return findings;
}

/** A list without its beginning could end at any value: only a long one may leave it out, and tells the rest in full. */
const isWhole = ({ base, extensions, dropped }: Own): boolean =>
  dropped === 0 ? /^0+$/.test(base) : extensions.length === MOST_EXTENSIONS;

/** Value of the PCR by the list; undefined where what was dropped has no value in this bank. */
function replayOwn(bank: HashName, { pcr, base, extensions, dropped }: Own): Buffer | undefined {
  const fits = base.length === HASH_SIZE[bank] * 2;
  if (!fits && dropped > 0) return undefined;
  const begins = fits ? Buffer.from(base, "hex") : resetPcr(bank, pcr);
  return extensions.reduce((value, each) => {
    const digest = Buffer.alloc(HASH_SIZE[bank]);
    extensionDigestOf(each).copy(digest);
    return extendPcr(bank, value, digest);
  }, begins);
}
