import type { ReportedState } from "@muster/shared/protocol/state";
import type { AttestationStatus } from "../attestation/attestation.ts";
import { socketOf } from "../box.ts";
import type { Settings } from "../config/settings.ts";
import type { FeederStatus } from "../feeder/feeder.ts";
import type { GroupStatus, InferenceStatus } from "../inference/ports.ts";
import type { LinkStatus } from "../link/link.ts";
import { askStatus } from "../local-api/ask.ts";
import type { OutboxPosition } from "../outbox/outbox.ts";
import type { PowerStatus } from "../power/power.ts";
import { EXIT } from "./exit-codes.ts";
import type { Terminal } from "./terminal.ts";

/** What the agent answers; parts are missing while it starts. */
interface Status {
  version: string;
  boxFileFault?: string | null;
  device?: string;
  locked?: string | null;
  enrolled?: { server: string; renewAt: number | null } | null;
  link?: LinkStatus | null;
  outbox?: OutboxPosition;
  reported?: ReportedState;
  inference?: InferenceStatus;
  feeder?: FeederStatus | null;
  power?: PowerStatus;
  attestation?: AttestationStatus;
}

/** Shows how the running agent is. @returns the exit code @throws MusterError `request.unreachable` */
export async function status(settings: Settings, json: boolean, terminal: Terminal): Promise<number> {
  const found = (await askStatus(socketOf(settings))) as Status;
  terminal.out(json ? `${JSON.stringify(found, undefined, 2)}\n` : describe(found));
  return isHealthy(found) ? EXIT.ok : EXIT.unhealthy;
}

/** A box without a network is healthy: it does what it is for. */
function isHealthy({ reported }: Status): boolean {
  const outcome = reported?.lastResult?.outcome;
  const updateFailed = outcome?.startsWith("failed") === true || outcome === "rejected";
  return reported !== undefined && reported.runner !== "failed" && !updateFailed;
}

const time = (millis: number): string => new Date(millis).toISOString();
const release = (ref: ReportedState["running"]): string => (ref ? `${ref.name} ${ref.version}` : "nothing");

/** The status for people, a fact a line. */
function describe(status: Status): string {
  const { version, device, enrolled, link, outbox, reported, inference, feeder, power, attestation } = status;
  const lines: [string, string][] = [["agent", version]];
  if (device) lines.push(["device", device]);
  if (status.boxFileFault) lines.push(["box.json", `cannot be used: ${status.boxFileFault}`]);
  lines.push(["server", enrolled ? enrolled.server : "not enrolled"]);
  if (status.locked) lines.push(["keys", `closed: ${status.locked}`]);
  if (enrolled?.renewAt) lines.push(["renews at", time(enrolled.renewAt)]);
  if (link) {
    const reason = link.lastError ? ` (${link.lastError.code}: ${link.lastError.message})` : "";
    lines.push(["link", `${link.state} since ${time(link.since)}${reason}`]);
  }
  if (outbox)
    lines.push([
      "outbox",
      `${outbox.lastSeq - outbox.ackedSeq} records wait, ${outbox.bytes} bytes, ${outbox.evicted} evicted`,
    ]);
  if (reported) {
    lines.push(["running", `${release(reported.running)}, runner ${reported.runner}`]);
    for (const { name, version: of, variant, provider, digest } of reported.components)
      lines.push(["", `${name} ${of} ${[variant, provider].filter(Boolean).join(" on ")} ${digest}`]);
    const { update, lastResult } = reported;
    if (update)
      lines.push(["update", `${release(update.release)} ${update.phase} since ${time(update.since)}`]);
    if (lastResult) {
      const why = lastResult.failure ? ` (${lastResult.failure.code}: ${lastResult.failure.message})` : "";
      lines.push(["last update", `${release(lastResult.release)} ${lastResult.outcome}${why}`]);
    }
  }
  if (inference?.endpoint.url) lines.push(["endpoint", inference.endpoint.url]);
  if (inference?.endpoint.socket) lines.push(["socket", inference.endpoint.socket]);
  for (const group of inference?.groups ?? []) lines.push(["runner", groupText(group)]);
  if (power) lines.push(["power", powerText(power)]);
  if (attestation) lines.push(...attestationLines(attestation));
  if (feeder) lines.push(...feederLines(feeder));
  return lines.map(([name, value]) => `${name.padEnd(12)}${value}\n`).join("");
}

/** How one runner is, and why where it is not as the release wants it. */
function groupText({ id, state, reason, pid, rssBytes, crashes, step, socket }: GroupStatus): string {
  const facts = [
    `${id} ${state}${state === "ready" ? "" : ` (${reason})`}`,
    ...(pid === null ? [] : [`pid ${pid}`, `${Math.round(rssBytes / 1024 ** 2)} MiB`]),
    `${crashes} crashes`,
    ...(step === null ? [] : [`fell back: ${step}`]),
    ...(socket === null ? [] : [socket]),
  ];
  return facts.join(", ");
}

/** What evidence is made of, and where its chain stands. */
function attestationLines({
  agent,
  tpm,
  ownPcr,
  rolledBack,
  chain,
  last,
}: AttestationStatus): [string, string][] {
  const chip = tpm.state === "failed" ? `failed (${tpm.code}: ${tpm.message})` : tpm.state;
  const pcr =
    ownPcr === null ? "" : `, PCR ${ownPcr.pcr}${ownPcr.foreign ? " changed by somebody else" : ""}`;
  const lines: [string, string][] = [["code", agent ?? "not measured yet"]];
  lines.push(["tpm", `${chip}${tpm.state === "none" ? "" : pcr}`]);
  if (rolledBack) lines.push(["disk", "was put back to an earlier state"]);
  const answered = last?.answered === "challenge" ? "answered a challenge" : "made by itself";
  lines.push([
    "evidence",
    chain ? `link ${chain.index}${last ? `, ${answered} at ${time(last.at)}` : ""}` : "none yet",
  ]);
  return lines;
}

/** Levels with the numbers that make them, and what waits by policy. */
function powerText({ heat, draw, reading, energy, conditions }: PowerStatus): string {
  const { deferredUntil } = conditions.bestEffort;
  return [
    `heat ${heat}${reading?.temperatureC == null ? "" : ` (${reading.temperatureC.toFixed(1)} °C)`}`,
    `draw ${draw}${reading?.watts == null ? "" : ` (${reading.watts.toFixed(1)} W by ${reading.meter})`}`,
    `energy ${energy ?? "unknown"}`,
    ...(deferredUntil === null ? [] : [`best effort waits until ${time(deferredUntil)}`]),
  ].join(", ");
}

/** What sources brought and sinks got, one a line, with the last that went wrong. */
function feederLines({ pid, sources, sinks }: FeederStatus): [string, string][] {
  const counted = (counts: Record<string, number>) =>
    Object.entries(counts)
      .filter(([name, count]) => count > 0 || name === "answered" || name === "delivered")
      .map(([name, count]) => `${count} ${name}`)
      .join(", ");
  const wrong = (error: FeederStatus["sources"][number]["lastError"]) =>
    error ? ` (${time(error.at)} ${error.code}: ${error.message})` : "";
  const lines: [string, string][] = pid === null ? [["feeder", "is down; it is started again"]] : [];
  for (const { name, kind, lastError, ...counts } of sources)
    lines.push(["source", `${name} (${kind}): ${counted(counts)}${wrong(lastError)}`]);
  for (const { name, kind, lastError, ...counts } of sinks)
    lines.push(["sink", `${name} (${kind}): ${counted(counts)}${wrong(lastError)}`]);
  return lines;
}
