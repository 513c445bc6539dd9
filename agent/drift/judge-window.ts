import type { DriftBody, DriftWindow } from "@muster/shared/protocol/drift-window";
import type { EventBody } from "@muster/shared/protocol/messages";
import type { Monitor } from "@muster/shared/protocol/serving/monitoring";
import { type AlarmState, afterWindow, type FeatureCounts, judgeDrift } from "@muster/shared/stats/drift";
import type { DriftReport } from "../runner/reports.ts";
import { learned, type SeriesState } from "./series-state.ts";

export interface JudgedWindow {
  readonly body: DriftBody;
  readonly state: SeriesState;
  /** Alarms that began or ended. */
  readonly events: readonly EventBody[];
}

interface Judged {
  readonly judgement: NonNullable<DriftBody["againstReference"]>;
  readonly alarm: AlarmState;
  readonly event: EventBody | undefined;
}

/**
 * Judges a window against the reference of the release, and against what this device saw in its first day. A
 * window with fewer samples than the rule asks for is told and not judged.
 */
export function judgeWindow({ window, reference, rule }: DriftReport, state: SeriesState): JudgedWindow {
  if (window.samples < rule.minSamples)
    return { body: { ...window, againstReference: null, againstBaseline: null }, state, events: [] };
  const absolute = judgeAgainst({ counts: reference }, "its reference", window, rule, state.againstReference);
  const { baseline } = state;
  if (!baseline.frozen) {
    const next = { ...state, baseline: learned(baseline, window), againstReference: absolute.alarm };
    const body = { ...window, againstReference: absolute.judgement, againstBaseline: null };
    return { body, state: next, events: absolute.event ? [absolute.event] : [] };
  }
  const what = "what it saw here at first";
  const change = judgeAgainst(baseline, what, window, rule, state.againstBaseline);
  return {
    body: { ...window, againstReference: absolute.judgement, againstBaseline: change.judgement },
    state: { baseline, againstReference: absolute.alarm, againstBaseline: change.alarm },
    events: [absolute.event, change.event].filter((event) => event !== undefined),
  };
}

function judgeAgainst(
  expected: { counts: FeatureCounts; effective?: Readonly<Record<string, number>> },
  what: string,
  window: DriftWindow,
  rule: Monitor,
  before: AlarmState,
): Judged {
  const [worst] = judgeDrift(expected.counts, window.features, rule, window.effective, expected.effective);
  const drifted = worst !== undefined && worst.band !== "none";
  const alarm = afterWindow(before, drifted, rule);
  const label = `${window.model} ${window.version} (${window.variant})`;
  const judgement = { drifted, alarm: alarm.alarm, feature: worst?.feature ?? null, psi: worst?.psi ?? 0 };
  let event: EventBody | undefined;
  if (alarm.alarm && !before.alarm && worst)
    event = {
      code: "model.drift",
      message: `What ${label} sees and says differs from ${what}: ${worst.feature} by a PSI of ${worst.psi.toFixed(3)} (${worst.band}; chance alone reaches ${worst.threshold.toFixed(3)}), in ${alarm.recent.filter(Boolean).length} of ${alarm.recent.length} windows.`,
    };
  else if (before.alarm && !alarm.alarm)
    event = { code: "model.drift-ended", message: `What ${label} sees and says is like ${what} again.` };
  return { judgement, alarm, event };
}
