import { createHash } from "node:crypto";
import { extensionDigestOf, type MeasuredExtension, NO_RELEASE } from "@muster/shared/protocol/evidence";
import type { Digest } from "@muster/shared/protocol/primitives";

/** Banks in which the agent's own PCR can be quoted. */
export type OwnBank = "sha256" | "sha384";
const BYTES: Record<OwnBank, number> = { sha256: 32, sha384: 48 };

/** Since when the PCR counts from zero, by the counters of the TPM. */
export interface Epoch {
  resetCount: number;
  restartCount: number;
}

/** What was written down about the PCR. */
export interface MeasuredLog {
  /** Null before the first extension ever. */
  epoch: Epoch | null;
  /** Values after the extensions that are not listed any more, hex. */
  base: Record<OwnBank, string>;
  extensions: readonly MeasuredExtension[];
  /** Written down before it was made: a power cut may have come between. */
  pending: MeasuredExtension | null;
}

/** What the TPM says of it. */
export interface QuotedPcr {
  epoch: Epoch;
  bank: OwnBank;
  /** Hex. */
  value: string;
}

type Wanted = Pick<MeasuredExtension, "what" | "digest">;

/** What has to be in the PCR. */
export interface WantedPcr {
  /** Null where this start of the agent is in it already. */
  agent: Digest | null;
  /** Release that runs, `NO_RELEASE` for none; null while that is not known. */
  release: Digest | null;
}

export type PcrStep =
  /** The PCR was reset with its TPM: begin a new list. */
  | { do: "begin"; epoch: Epoch }
  /** The TPM came back from sleep with its PCRs. */
  | { do: "resume"; epoch: Epoch }
  /** The pending extension was made. */
  | { do: "settle" }
  /** It was not, or these are missing: extend by each and quote again. */
  | { do: "redo" }
  | { do: "extend"; by: Wanted[] }
  /** All of it is there. `foreign`: the value is not what the list makes; somebody else extended or reset the PCR. */
  | { do: "nothing"; foreign: boolean };

export const zeros = (bank: OwnBank): string => "00".repeat(BYTES[bank]);

/** Value after one more extension; longer banks take the digest with zeros behind it. */
export function extended(bank: OwnBank, value: string, by: Wanted): string {
  const digest = Buffer.alloc(BYTES[bank]);
  extensionDigestOf(by).copy(digest);
  return createHash(bank).update(Buffer.from(value, "hex")).update(digest).digest("hex");
}

const replay = (bank: OwnBank, { base, extensions }: MeasuredLog): string =>
  extensions.reduce((value, by) => extended(bank, value, by), base[bank]);

/** What is to be done next so that the PCR says what runs, by what was written down and what the TPM says. */
export function nextPcrStep(log: MeasuredLog, quoted: QuotedPcr, wanted: WantedPcr): PcrStep {
  const { epoch, bank, value } = quoted;
  const told = replay(bank, log);
  const isEmpty = log.extensions.length === 0 && log.pending === null && log.base[bank] === zeros(bank);
  if (log.epoch?.resetCount !== epoch.resetCount) return { do: "begin", epoch };
  if (log.epoch.restartCount !== epoch.restartCount)
    return { do: value === zeros(bank) && !isEmpty ? "begin" : "resume", epoch };
  if (log.pending !== null) return { do: value === told ? "redo" : "settle" };
  const by = missing(log, wanted);
  return by.length > 0 ? { do: "extend", by } : { do: "nothing", foreign: value !== told };
}

function missing({ extensions, base }: MeasuredLog, { agent, release }: WantedPcr): Wanted[] {
  const isWhole = base.sha256 === zeros("sha256");
  const last = extensions.findLast(({ what }) => what === "release")?.digest ?? (isWhole ? NO_RELEASE : null);
  return [
    ...(agent === null ? [] : [{ what: "agent" as const, digest: agent }]),
    ...(release === null || release === last ? [] : [{ what: "release" as const, digest: release }]),
  ];
}
