import type { RolloutResource, SelectionResource } from "../api/schemas/rollouts.ts";
import { EXIT } from "./exit-codes.ts";
import { releaseName } from "./names.ts";
import { printable, type Style } from "./terminal.ts";
import { ago, bar } from "./words.ts";

type Paint = (style: Style, text: string) => string;
type State = RolloutResource["state"];
type Counts = RolloutResource["waveList"][number]["counts"];

const STYLES: Record<State, Style> = {
  draft: "dim",
  running: "cyan",
  paused: "yellow",
  completed: "green",
  aborting: "red",
  aborted: "red",
  reverting: "red",
  reverted: "red",
};

const BAR = 24;

/** States in which nothing more happens by itself. */
export const isOver = (state: State): boolean =>
  ["completed", "aborted", "reverted", "paused"].includes(state);

/** 3 where the rollout was stopped by its gate or turned back; 0 otherwise. */
export function healthOf({ state, gate }: RolloutResource): number {
  if (["aborting", "aborted", "reverting", "reverted"].includes(state)) return EXIT.unhealthy;
  const stopped = state === "paused" && gate !== null && gate.verdict !== "met" && gate.waitingFor === null;
  return stopped ? EXIT.unhealthy : EXIT.ok;
}

/** What the devices of a wave are at, without what is zero. */
export function countsText(counts: Counts): string {
  const named: [number, string][] = [
    [counts.failed, "failed"],
    [counts.pending, "at work"],
    [counts.silent, "silent"],
    [counts.offline, "offline"],
    [counts.waiting, "waiting"],
    [counts.returning, "going back"],
    [counts.returned, "back"],
    [counts.returnFailed, "not back"],
    [counts.released, "released"],
  ];
  const rest = named.filter(([count]) => count > 0).map(([count, name]) => `, ${count} ${name}`);
  return `${counts.succeeded}/${counts.total} succeeded${rest.join("")}`;
}

/** Share of devices whose part in the wave is over, 0 to 1. */
const doneShare = ({ total, succeeded, failed, returned, returnFailed, released }: Counts): number =>
  total === 0 ? 1 : (succeeded + failed + returned + returnFailed + released) / total;

const shown = (value: number | null): string =>
  value === null ? "none yet" : `${Math.round(value * 10) / 10} %`;

/** Gate values beside their thresholds. */
function gateLines({ gate }: RolloutResource): string[] {
  if (!gate) return [];
  const { numbers, thresholds } = gate;
  return [
    `  gate ${gate.verdict}: ${gate.reason}`,
    `    success ${shown(numbers.successPercent)} (at least ${thresholds.success.minPercent} %), error ${shown(numbers.errorPercent)} (at most ${thresholds.error.maxPercent} %)`,
    `    ends known ${numbers.succeeded + numbers.failed} (at least ${numbers.needed}), soaked ${numbers.soakedSeconds} s of ${thresholds.soakSeconds} s`,
  ];
}

/** A rollout in lines for people, with a bar for each wave. */
export function describeRollout(rollout: RolloutResource, now: number, paint: Paint): string[] {
  const started = rollout.startedAt === null ? "not started" : `started ${ago(rollout.startedAt, now)}`;
  const ended = rollout.endedAt === null ? "" : `, ended ${ago(rollout.endedAt, now)}`;
  return [
    `${paint("bold", releaseName(rollout.release))} to ${rollout.selector || "all devices"}: ${paint(STYLES[rollout.state], rollout.state)}`,
    `  ${rollout.id}, ${started}${ended}`,
    ...(rollout.reason && rollout.reason !== rollout.gate?.reason ? [`  ${printable(rollout.reason)}`] : []),
    ...rollout.waveList.map(({ number, state, counts }) => {
      const turned = counts.failed + counts.returning + counts.returned + counts.returnFailed > 0;
      const style: Style = turned ? "red" : state === "open" ? "cyan" : "green";
      const progress = paint(style, bar(doneShare(counts), BAR));
      return `  wave ${String(number).padEnd(2)} ${progress} ${countsText(counts)} (${state})`;
    }),
    ...gateLines(rollout),
    ...rollout.failures.map(({ code, devices, example }) =>
      printable(`  ${devices} failed with ${code}: ${example}`),
    ),
  ];
}

/** What a plan would do. */
export function describeSelection(selection: SelectionResource): string {
  const chosen = selection.waves.reduce((sum, wave) => sum + wave.devices.length, 0);
  const reasons = new Map<string, SelectionResource["excluded"]>();
  for (const device of selection.excluded)
    reasons.set(device.reason, [...(reasons.get(device.reason) ?? []), device]);
  return [
    `${releaseName(selection.release)} would go to ${chosen} of ${selection.matched} matching devices:`,
    ...selection.waves.map(({ number, devices }) => {
      const names = devices.slice(0, 5).map(({ name, site }) => `${site}/${name}`);
      const more = devices.length > names.length ? ` and ${devices.length - names.length} more` : "";
      return `  wave ${number}: ${devices.length}  ${names.join(", ")}${more}`;
    }),
    ...[...reasons].map(
      ([reason, devices]) =>
        `  left out, ${reason}: ${devices.length}, e.g. ${devices[0]?.name}: ${devices[0]?.sentence}`,
    ),
  ]
    .map(printable)
    .join("\n");
}
