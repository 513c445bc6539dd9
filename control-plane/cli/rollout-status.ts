import type { RolloutResource } from "../api/schemas/rollouts.ts";
import { heldText } from "./hold-words.ts";
import { releaseName } from "./names.ts";
import { countsText } from "./rollout-words.ts";
import { printable, type Style } from "./terminal.ts";
import { ago, bar } from "./words.ts";

type Paint = (style: Style, text: string) => string;
type Counts = RolloutResource["waveList"][number]["counts"];
type Condition = NonNullable<RolloutResource["gate"]>["conditions"][number];

const STYLES: Record<RolloutResource["state"], Style> = {
  draft: "dim",
  "awaiting-approval": "yellow",
  scheduled: "dim",
  running: "cyan",
  paused: "yellow",
  completed: "green",
  aborting: "red",
  aborted: "red",
  reverting: "red",
  reverted: "red",
};

const VERDICTS: Record<Condition["verdict"], Style> = {
  met: "green",
  violated: "red",
  inconclusive: "yellow",
  "passed-over": "dim",
};

/** Conditions whose value has to reach the threshold; the others must not go beyond it. */
const LEAST: ReadonlySet<Condition["kind"]> = new Set([
  "success",
  "sample",
  "attestation",
  "soak",
  "crash-free-hours",
  "shadow-agreement",
]);

const BAR = 24;

/** Share of devices whose part in the wave is over, 0 to 1. */
function doneShare(counts: Counts): number {
  const { total, succeeded, failed, returned, returnFailed, released, superseded, skipped } = counts;
  const done = succeeded + failed + returned + returnFailed + released + superseded + skipped;
  return total === 0 ? 1 : done / total;
}

/** A figure with its unit, short. */
function figure(value: number | null, unit: Condition["unit"]): string {
  if (value === null) return "-";
  const rounded = Math.abs(value) >= 1 ? Math.round(value * 10) / 10 : Number(value.toPrecision(2));
  const units = { percent: " %", ms: " ms", psi: " PSI", inferences: "", seconds: " s" };
  return `${rounded}${units[unit]}`;
}

/** Each condition of the gate with its value beside what the plan asks for. */
function gateLines({ gate }: RolloutResource, paint: Paint): string[] {
  if (!gate) return [];
  const conditions = gate.conditions.map((condition) => {
    const { kind, verdict, value, threshold, control, comparison, unit } = condition;
    const asked = [
      threshold === null ? "" : `${LEAST.has(kind) ? "at least" : "at most"} ${figure(threshold, unit)}`,
      control === null ? "" : `others ${figure(control, unit)}`,
      comparison ? `stake ${comparison.stake.toFixed(1)} of ${comparison.limit}` : "",
    ].filter((text) => text !== "");
    const beside = asked.length > 0 ? ` (${asked.join(", ")})` : "";
    return `    ${kind.padEnd(16)} ${paint(VERDICTS[verdict], verdict.padEnd(12))} ${figure(value, unit)}${beside}`;
  });
  return [`  gate ${gate.verdict}: ${printable(gate.reason)}`, ...conditions];
}

function approvalLines({ approvals: { needed, given } }: RolloutResource): string[] {
  if (needed === 0) return [];
  const names = given.map(({ operator, decision }) => `${operator.name} ${decision}`);
  const count = given.filter(({ decision }) => decision === "approved").length;
  return [`  approvals ${count} of ${needed}${names.length > 0 ? `: ${printable(names.join(", "))}` : ""}`];
}

function heldLines({ held }: RolloutResource): string[] {
  const text = heldText(held);
  return text === "" ? [] : [`  not told just now: ${text}`];
}

/** What an operator may do where nothing more happens by itself. */
function nextLines({ id, state, wave, gate, approvals: { needed, given } }: RolloutResource): string[] {
  if (state === "draft") return [`  next: muster rollout start ${id}`];
  if (state === "awaiting-approval") {
    const missing = needed - given.length;
    const who = missing === 1 ? "one operator" : `${missing} operators`;
    return [`  next: ${who} besides its author and its submitter: muster rollout approve ${id}`];
  }
  if (state !== "paused") return [];
  const on = gate?.verdict === "violated" ? [] : ["resume", `skip-wave --wave ${wave}`];
  const [first, ...others] = [...on, "revert", "abort"];
  return [`  next: muster rollout ${first} ${id}, or ${others.join(", ")}`];
}

/** A rollout in lines for people: waves, gate, what holds devices back, clusters, failures. */
export function describeRollout(rollout: RolloutResource, now: number, paint: Paint): string[] {
  const { plan } = rollout;
  const begins = plan.startAt !== null && plan.startAt > now ? `, begins ${ago(plan.startAt, now)}` : "";
  const started =
    rollout.startedAt === null ? `not started${begins}` : `started ${ago(rollout.startedAt, now)}`;
  const ended = rollout.endedAt === null ? "" : `, ended ${ago(rollout.endedAt, now)}`;
  return [
    `${paint("bold", releaseName(rollout.release))} to ${rollout.selector || "all devices"}: ${paint(STYLES[rollout.state], rollout.state)}`,
    `  ${rollout.id}, by ${printable(rollout.createdBy.name)}, ${started}${ended}`,
    ...(rollout.reason && rollout.reason !== rollout.gate?.reason ? [`  ${printable(rollout.reason)}`] : []),
    ...approvalLines(rollout),
    ...rollout.waveList.map(({ number, state, counts }) => {
      const turned = counts.failed + counts.returning + counts.returned + counts.returnFailed > 0;
      const style: Style = turned ? "red" : state === "open" ? "cyan" : "green";
      const progress = paint(style, bar(doneShare(counts), BAR));
      return `  wave ${String(number).padEnd(2)} ${progress} ${countsText(counts)} (${state})`;
    }),
    ...heldLines(rollout),
    ...gateLines(rollout, paint),
    ...(rollout.gate?.clusters ?? []).map(({ sentence }) => printable(`  ${sentence}`)),
    ...rollout.failures.map(({ code, devices, example }) =>
      printable(`  ${devices} failed with ${code}: ${example}`),
    ),
    ...nextLines(rollout),
  ];
}
