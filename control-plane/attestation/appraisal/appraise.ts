import type { Claim, Finding, Verdict, VerdictTier } from "../verdict.ts";
import { judgeAgent } from "./agent.ts";
import { gapWords, placeLink } from "./chain.ts";
import { judgeComponents } from "./components.ts";
import { finding, foldFindings } from "./findings.ts";
import type { DeviceHistory } from "./history.ts";
import { newHistory } from "./history.ts";
import type { Appraisal, AppraisalInput } from "./input.ts";
import { judgeTpm } from "./tpm.ts";

/** Links that are missing may still come with the backlog of a device that was offline, milliseconds. */
const PATIENCE_MS = 3_600_000;
/** Beyond every moment that a date can hold: a verdict that only better evidence ends. */
const FOR_EVER = 8_640_000_000_000_000;

/**
 * Appraises one piece of evidence whose signature was checked. Pure: the same input gives the same verdict. It throws
 * for no evidence whatsoever, since whatever is wrong with it is what is to be found.
 */
export function appraise(input: AppraisalInput): Appraisal {
  const { payload, device, how, now } = input;
  const known =
    input.history.signingKey === device.signingKey ? input.history : newHistory(device.signingKey);
  const placed = how === "again" ? { how: "repeat" as const } : placeLink(known, payload, now);
  if (placed.how === "repeat" && how !== "again") return judged(input, known, "repeat", []);
  if (placed.how === "fork") {
    const forked = known.forked ?? { at: now, message: `${placed.message}.` };
    return judged(input, { ...known, forked }, "fork", []);
  }
  const isNewest = placed.how === "next" || placed.how === "restarted";
  let history: DeviceHistory = "chain" in placed ? { ...known, ...placed.chain } : known;
  const findings: Finding[] = [];
  if (placed.how === "restarted") {
    // Whoever has the key alone is told where to go on, and has no link to name.
    if (device.akPublic === null)
      history = {
        ...history,
        forked: history.forked ?? {
          at: now,
          message: `Link ${payload.chain.index} begins the chain anew: the box lost its database, or its key runs elsewhere without it.`,
        },
      };
    else findings.push(restarted());
  }
  if (how === "answer" && isNewest) history = { ...history, freshAt: now };
  if (isNewest) history = { ...history, putBack: putBackOf(history, payload.measurement.rolledBack) };
  return judged(input, history, isNewest || how === "again" ? "newest" : "late", findings);
}

const restarted = (): Finding =>
  finding(
    "instance-identity",
    "warning",
    "attestation.chain-restarted",
    "fault",
    "It begins its chain of evidence anew: its database was lost. Its TPM shows that it is the same box.",
  );

function judged(
  input: AppraisalInput,
  before: DeviceHistory,
  place: Appraisal["place"],
  more: readonly Finding[],
): Appraisal {
  const { payload, predictions, references, policy, now } = input;
  const tpm = judgeTpm(input, before, place === "newest");
  const findings = [
    ...more,
    ...chainFindings(tpm.history, input),
    ...putBack(tpm.history, input),
    ...tpm.findings,
    ...judgeComponents(payload.measurement, predictions),
    ...judgeAgent(payload.measurement, references, policy),
  ];
  const proven: Claim[] = ["instance-identity", "executables", "configuration", ...tpm.proven];
  const folded = foldFindings(findings, proven);
  const verdict: Verdict = {
    ...folded,
    sentence: sentenceOf(folded.tier, folded.findings, input),
    at: now,
    notAfter: endOf(folded.tier, tpm.history, input),
  };
  return { verdict, history: tpm.history, place };
}

function chainFindings(
  { forked, missing, freshAt }: DeviceHistory,
  { policy, now, how, payload }: AppraisalInput,
): Finding[] {
  const findings: Finding[] = [];
  if (forked)
    findings.push(
      finding(
        "instance-identity",
        "contraindicated",
        "attestation.forked",
        "attack",
        `${forked.message} Either two boxes use its key, or an older state of its disk was put back.`,
      ),
    );
  const kept = missing.filter(({ since }) => now - since < policy.graceMs || now - since < PATIENCE_MS);
  if (kept.length > 0) {
    const late = kept.some(({ since }) => now - since >= PATIENCE_MS);
    findings.push(
      finding(
        "instance-identity",
        late ? policy.gaps : "information",
        "attestation.chain-gap",
        late ? "fault" : "unknown",
        late
          ? `${gapWords(kept)} never came: its outbox dropped them, or what it did in that time was kept back.`
          : `${gapWords(kept)} have not come yet: they may still be in its backlog.`,
      ),
    );
  }
  if (how === "offline" && freshAt !== null && payload.at - freshAt > policy.graceMs)
    findings.push(
      finding(
        "instance-identity",
        "warning",
        "attestation.offline-too-long",
        "unknown",
        `It was on its own for ${Math.round((payload.at - freshAt) / 86_400_000)} days, longer than its word alone is taken for.`,
      ),
    );
  return findings;
}

/** Once found it stays until an operator clears it: the device forgets it with its next start. */
const putBackOf = ({ putBack: before }: DeviceHistory, rolledBack: boolean): DeviceHistory["putBack"] =>
  before === "cleared" ? (rolledBack ? "cleared" : null) : rolledBack ? "found" : before;

function putBack({ putBack: state }: DeviceHistory, { device }: AppraisalInput): Finding[] {
  if (state !== "found") return [];
  return [
    finding(
      "instance-identity",
      "contraindicated",
      "attestation.disk-put-back",
      "attack",
      device.akPublic === null
        ? "Its disk holds an older state than it had before: a backup was restored, or a copy was put in."
        : "The counter in its TPM is ahead of its disk: a backup was restored, or somebody put an older copy in to undo what came after it.",
    ),
  ];
}

function sentenceOf(
  tier: VerdictTier,
  findings: readonly Finding[],
  { payload, device }: AppraisalInput,
): string {
  const [worst] = findings;
  const count = findings.filter((each) => each.tier === worst?.tier).length - 1;
  const others = count > 0 ? ` (and ${count} more)` : "";
  if (tier === "contraindicated") return `It does not pass: ${worst?.message ?? ""}${others}`;
  if (tier === "warning") return `It passes with a warning: ${worst?.message ?? ""}${others}`;
  const { release, agent } = payload.measurement;
  const runs = release ? `${release.name} ${release.version}` : "no release";
  const by = device.akPublic === null ? "by a key in software" : "by its TPM";
  return `It passes: proven ${by}, it runs ${runs} with agent ${agent.version}, as it was told.`;
}

/** Fresh evidence counts for as long as policy says; what was made offline carries that on within the grace. */
function endOf(
  tier: VerdictTier,
  { freshAt }: DeviceHistory,
  { policy, how, payload, now }: AppraisalInput,
): number {
  if (tier === "contraindicated") return FOR_EVER;
  if (how === "answer") return now + policy.maxAgeMs;
  if (freshAt === null) return now;
  const made = Math.min(payload.at, now) + policy.maxAgeMs;
  return Math.max(freshAt + policy.maxAgeMs, Math.min(made, freshAt + policy.graceMs));
}
