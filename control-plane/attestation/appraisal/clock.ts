import type { ClockInfo } from "@muster/shared/tpm/attest";
import type { Finding } from "../verdict.ts";
import { finding } from "./findings.ts";
import type { KnownClock } from "./history.ts";

const times = (count: number): string => (count === 1 ? "once" : `${count} times`);

const regressed = (message: string): Finding =>
  finding("instance-identity", "contraindicated", "attestation.clock-regressed", "attack", message);

/**
 * What the counters of the TPM say of the time since the link before (TPM 2.0 part 1, 36): (resetCount, restartCount)
 * never goes back, taken together; the clock goes on while both stay, and may step back by a reset alone.
 */
export function judgeClock(before: KnownClock | null, now: ClockInfo): Finding[] {
  if (!before) return [];
  const { clock, resetCount, restartCount, safe } = now;
  const resets = resetCount - before.resetCount;
  const restarts = restartCount - before.restartCount;
  const isBehind = clock < BigInt(before.clock);
  if (resets < 0 || (resets === 0 && restarts < 0))
    return [
      regressed(
        `The counters of its TPM went back from ${before.resetCount}.${before.restartCount} to ${resetCount}.${restartCount}: an older state of a virtual TPM was put back, or another TPM answers.`,
      ),
    ];
  if (resets === 0) {
    if (clock <= BigInt(before.clock))
      return [
        regressed(
          "The clock of its TPM went back without a restart: an older state of a virtual TPM was put back, or old evidence was sent again.",
        ),
      ];
    return restarts === 0
      ? []
      : [
          finding(
            "instance-identity",
            "information",
            "attestation.resumed",
            "power-cut",
            `It was suspended and woke up ${times(restarts)}.`,
          ),
        ];
  }
  // A TPM calls its clock safe again soon after a power cut, also where it lost the last moments.
  if (!safe || isBehind)
    return [
      finding(
        "instance-identity",
        "information",
        "attestation.power-cut",
        "power-cut",
        `It lost power and started again (${times(resets)} since it was last heard); the clock of its TPM may have stepped back for that.`,
      ),
    ];
  return [
    finding(
      "instance-identity",
      "information",
      "attestation.restarted",
      "unknown",
      `It was restarted ${times(resets)}.`,
    ),
  ];
}
