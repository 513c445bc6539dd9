import { isMusterError, MusterError } from "@muster/shared/errors";
import { parseEventLog } from "@muster/shared/tpm/event-log";
import { goldenEvents } from "../appraisal/log-difference.ts";
import { isFirmwarePcr } from "../appraisal/pcrs.ts";
import { unpack } from "../appraisal/unpack.ts";
import type { PolicyContent } from "../policy/policy.ts";
import type { KnownDevice } from "../store.ts";
import type { FirmwareState, GoldenEvent, ReferenceSet } from "./reference-set.ts";

export interface LearnFacts {
  readonly name: string;
  readonly sequence: number;
  readonly policy: PolicyContent;
  /** A packed boot log by its digest. */
  log(digest: string): Uint8Array | undefined;
  readonly now: number;
}

/**
 * A reference set as the newest evidence of a golden device suggests it: a person reviews and signs it.
 * @throws MusterError `attestation.no-evidence`
 */
export function candidateOf(
  { binding, hardwareClass, evidence, history }: KnownDevice,
  facts: LearnFacts,
): ReferenceSet {
  if (!evidence) throw new MusterError("attestation.no-evidence");
  const { agent } = evidence.payload.measurement;
  const day = new Date(facts.now).toISOString().slice(0, 10);
  const firmware = firmwareOf(evidence.payload.tpm, facts, day);
  return {
    schema: "muster.reference-set/1",
    name: facts.name,
    sequence: facts.sequence,
    description: `Learned from the device ${binding.id} on ${day}; review it before it is signed.`,
    hardwareClass,
    ...(firmware ? { firmware: [firmware] } : {}),
    agents: [{ version: agent.version, digest: agent.digest }],
    ...(history.tpmFirmware === null ? {} : { minimum: { tpmFirmware: history.tpmFirmware } }),
  };
}

function firmwareOf(
  tpm: NonNullable<KnownDevice["evidence"]>["payload"]["tpm"],
  { policy, log }: LearnFacts,
  day: string,
): FirmwareState | undefined {
  const { bank, indices } = policy.pcrs;
  const values = Object.fromEntries(
    Object.entries(tpm?.pcrs[bank] ?? {}).filter(
      ([pcr, value]) => indices.includes(Number(pcr)) && !(isFirmwarePcr(Number(pcr)) && /^0+$/.test(value)),
    ),
  );
  if (Object.keys(values).length === 0) return undefined;
  const packed = tpm?.bootLog ? log(tpm.bootLog.digest) : undefined;
  const events = packed ? eventsOf(packed, indices) : [];
  return {
    name: `as of ${day}`,
    pcrs: { [bank]: values },
    ...(events.length > 0 ? { events } : {}),
  };
}

function eventsOf(packed: Uint8Array, pcrs: readonly number[]): GoldenEvent[] {
  try {
    return goldenEvents(parseEventLog(unpack(packed)), pcrs).slice(0, 1024);
  } catch (error) {
    // Values alone decide; the log only explains.
    if (isMusterError(error)) return [];
    throw error;
  }
}
