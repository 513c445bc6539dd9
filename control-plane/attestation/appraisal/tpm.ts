import { isMusterError } from "@muster/shared/errors";
import { qualifyingDataOf } from "@muster/shared/protocol/evidence";
import type { HashName } from "@muster/shared/tpm/hash";
import type { PcrValues } from "@muster/shared/tpm/pcr";
import { parsePublic } from "@muster/shared/tpm/public-area";
import { type VerifiedQuote, verifyQuote } from "@muster/shared/tpm/quote";
import type { Cause, Claim, Finding } from "../verdict.ts";
import { judgeClock } from "./clock.ts";
import { finding } from "./findings.ts";
import { judgeFirmware } from "./firmware.ts";
import type { DeviceHistory } from "./history.ts";
import { imaAgain, judgeIma } from "./ima.ts";
import type { AppraisalInput, Judged } from "./input.ts";
import { judgeOwnPcr, measuredCount } from "./own-pcr.ts";
import { IMA_PCR, pcrWords } from "./pcrs.ts";

export interface TpmJudged extends Judged {
  /** Claims that its quote speaks about. */
  readonly proven: readonly Claim[];
}

const refused = (
  history: DeviceHistory,
  claim: Claim,
  code: "attestation.tpm-missing" | "attestation.tpm-foreign" | "attestation.quote-invalid",
  cause: Cause,
  message: string,
): TpmJudged => ({
  findings: [finding(claim, "contraindicated", code, cause, message)],
  history,
  proven: [],
});

/**
 * Everything that only a TPM can prove: that it is this box, that it did not go back in time, how it booted, and that
 * the agent's measurements are its own.
 * @param isNewest whether the link is the newest of the chain: counters are compared in the order of links
 */
export function judgeTpm(input: AppraisalInput, history: DeviceHistory, isNewest: boolean): TpmJudged {
  const { device, payload } = input;
  const { tpm } = payload;
  if (device.akPublic === null || device.akName === null)
    return { findings: tpm ? [unbound()] : [], history, proven: [] };
  if (!tpm)
    return refused(
      history,
      "instance-identity",
      "attestation.tpm-missing",
      // A chip that is busy and a disk that runs elsewhere look the same from here.
      "unknown",
      "It was enrolled with a TPM and gives evidence without: its TPM is switched off or broken, or a copy of its disk runs in another box.",
    );
  if (tpm.akName !== device.akName)
    return refused(
      history,
      "instance-identity",
      "attestation.tpm-foreign",
      "attack",
      "Its evidence comes from another TPM than the one that it was enrolled with: its disk runs in another box, or its TPM was cleared.",
    );
  try {
    return judgeQuote(input, history, isNewest, device.akPublic);
  } catch (error) {
    if (!isMusterError(error)) throw error;
    return refused(history, "instance-identity", "attestation.quote-invalid", "attack", error.message);
  }
}

const unbound = (): Finding =>
  finding(
    "instance-identity",
    "information",
    "attestation.tpm-unbound",
    "unknown",
    "It has a TPM, but was enrolled without one: its quote counts for nothing. Enroll it anew to bind it.",
  );

function judgeQuote(
  input: AppraisalInput,
  history: DeviceHistory,
  isNewest: boolean,
  akPublic: string,
): TpmJudged {
  const { payload, policy, references, asked, how } = input;
  const tpm = payload.tpm!;
  const quote = verifyQuote({
    ak: parsePublic(Buffer.from(akPublic, "base64")),
    quote: Buffer.from(tpm.quote, "base64"),
    signature: Buffer.from(tpm.signature, "base64"),
    nonce: qualifyingDataOf(payload),
    pcrs: bytesOf(tpm.pcrs),
    // Nobody asked for more while it was offline.
    required: how === "answer" ? asked : { bank: asked.bank, indices: [] },
  });
  const { bank, indices } = policy.pcrs;
  const values = hexOf(quote.pcrs, bank);
  const looked = Object.fromEntries(
    indices.flatMap((pcr) => (values[pcr] === undefined ? [] : [[String(pcr), values[pcr]]])),
  );
  const { resetCount, restartCount, clock } = quote.clock;
  const sameBoot = history.clock?.resetCount === resetCount;
  const sameStart = sameBoot && history.clock?.restartCount === restartCount;
  const isLater = isNewest && (history.clock === null || payload.chain.index > history.clock.link);
  const firmware = judgeFirmware({
    bank,
    values: looked,
    bootLog: input.bootLog,
    references,
    policy,
    before: history.pcrs,
    resetCount,
  });
  const imaBefore = sameBoot ? history.ima : null;
  const tellsFiles = how === "answer" || (how === "offline" && tpm.ima !== null && tpm.ima.gzip !== null);
  const ima = tellsFiles
    ? judgeIma({ ima: tpm.ima, bank, quoted: values[IMA_PCR], references, before: imaBefore })
    : imaAgain(imaBefore, references);
  const uncovered = notCovered(quote, bank, indices);
  const time = isLater ? judgeClock(history.clock, quote.clock) : [];
  const findings: Finding[] = [
    ...time,
    ...uncovered,
    ...judgeTpmFirmware(quote.firmwareVersion, history, input),
    ...firmware.findings,
    ...judgeOwnPcr(
      ...([tpm.own, payload.measurement, quote.pcrs, isLater && sameStart ? history.pcrs : null] as const),
      (history.pcrs?.measured ?? 0) > 0,
    ),
    ...ima.findings,
  ];
  const proven: Claim[] = ["hardware", ...(ima.complete ? (["file-system"] as const) : [])];
  if (!isLater) return { findings, history, proven };
  // One that says nothing of its own PCR is not taken for one that never did.
  const measured = tpm.own ? measuredCount(tpm.own) : (history.pcrs?.measured ?? 0);
  // What does not pass is no ground to compare with: it stays found until a restart, or until it is as it was. And
  // what was left out would be no ground for the PCRs that it leaves out.
  const isGround =
    uncovered.length === 0 && firmware.findings.every(({ tier }) => tier !== "contraindicated");
  return {
    findings,
    proven,
    history: {
      ...history,
      // One that went back stays behind until it has caught up, or an operator clears it.
      clock: time.some(({ tier }) => tier === "contraindicated")
        ? history.clock
        : { link: payload.chain.index, clock: String(clock), resetCount, restartCount },
      tpmFirmware: quote.firmwareVersion.toString(16).padStart(16, "0"),
      pcrs: isGround
        ? { bank, values: looked, firmware: firmware.state, resetCount, measured }
        : history.pcrs && { ...history.pcrs, measured },
      ima: ima.history,
    },
  };
}

function notCovered(quote: VerifiedQuote, bank: HashName, indices: readonly number[]): Finding[] {
  const covered = quote.pcrs[bank] ?? {};
  const missing = indices.filter((pcr) => covered[pcr] === undefined);
  if (missing.length === 0) return [];
  return [
    finding(
      "hardware",
      "warning",
      "attestation.quote-incomplete",
      "unknown",
      `Its newest quote does not cover ${pcrWords(missing)} of the bank ${bank}, which policy asks for: the next answer will.`,
    ),
  ];
}

function judgeTpmFirmware(
  version: bigint,
  history: DeviceHistory,
  { references }: AppraisalInput,
): Finding[] {
  const text = version.toString(16).padStart(16, "0");
  const findings: Finding[] = [];
  for (const { minimum } of references)
    if (minimum?.tpmFirmware !== undefined && text < minimum.tpmFirmware)
      findings.push(
        finding(
          "hardware",
          "warning",
          "attestation.tpm-firmware-old",
          "drift",
          `The firmware of its TPM is ${text}; the reference sets ask for ${minimum.tpmFirmware} at least.`,
        ),
      );
  if (history.tpmFirmware !== null && history.tpmFirmware !== text)
    findings.push(
      finding(
        "hardware",
        "information",
        "attestation.tpm-firmware-changed",
        "firmware-update",
        `The firmware of its TPM changed from ${history.tpmFirmware} to ${text}.`,
      ),
    );
  return findings;
}

function bytesOf(pcrs: Readonly<Record<string, Readonly<Record<string, string>>>>): PcrValues {
  return Object.fromEntries(
    Object.entries(pcrs).map(([bank, values]) => [
      bank,
      Object.fromEntries(Object.entries(values).map(([pcr, hex]) => [pcr, Buffer.from(hex, "hex")])),
    ]),
  );
}

const hexOf = (pcrs: PcrValues, bank: HashName): Record<string, string> =>
  Object.fromEntries(
    Object.entries(pcrs[bank] ?? {}).map(([pcr, value]) => [pcr, Buffer.from(value).toString("hex")]),
  );
