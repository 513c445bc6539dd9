import type { ScenarioEvent } from "./schema.ts";

/** Begin or end of an event. */
export interface Moment {
  /** Seconds since all devices were online. */
  at: number;
  edge: "begin" | "end";
  event: ScenarioEvent;
  /** Position of the event in the scenario; with the seed it chooses the devices. */
  index: number;
}

/** Everything that happens, in order; what ends at a moment ends before anything begins there. */
export function timelineOf(events: readonly ScenarioEvent[]): Moment[] {
  const moments: Moment[] = [];
  for (const [index, event] of events.entries()) {
    moments.push({ at: event.at, edge: "begin", event, index });
    if ("for" in event && event.for !== undefined)
      moments.push({ at: event.at + event.for, edge: "end", event, index });
  }
  return moments.sort(
    (a, b) => a.at - b.at || (a.edge === b.edge ? a.index - b.index : a.edge === "end" ? -1 : 1),
  );
}
