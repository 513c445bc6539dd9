import { Heartbeat } from "@muster/shared/protocol/messages";
import { Nullable } from "@muster/shared/protocol/primitives";
import { parseJson } from "@muster/shared/protocol/validate";
import { type Static, Type } from "typebox";
import { Accumulator } from "./accumulator.ts";
import { CrashHour, copyCrashHour, newCrashHour } from "./crash-hours.ts";
import type { Group } from "./groups.ts";
import type { SessionMarks } from "./sessions.ts";

/** The newest heartbeat of a device. Times in milliseconds since the epoch. */
const Newest = Type.Object({
  session: Type.String(),
  seq: Type.Number(),
  /** By the clock of the control plane, and by that of the device. */
  receivedAt: Type.Number(),
  at: Type.Number(),
  uptimeSeconds: Type.Number(),
  health: Heartbeat.properties.health,
});
export type Newest = Static<typeof Newest>;

const State = Type.Object({
  marks: Type.Array(Type.Tuple([Type.String(), Type.Number()])),
  newest: Nullable(Newest),
  /** The closed bucket that it was stored with, and the crash hour before and after the heartbeats of that bucket. */
  bucket: Type.Number(),
  before: CrashHour,
  crashHour: CrashHour,
});

/** What heartbeats of one device have told: in memory, and stored whenever a bucket closes. */
export class DeviceRecord {
  readonly device: string;
  readonly sums = new Accumulator();
  marks: SessionMarks = [];
  newest: Newest | null = null;
  crashHour: CrashHour;
  /** The crash hour as it was when the open bucket and the one before it opened, the older first. */
  #starts: { bucket: number; crashHour: CrashHour }[] = [];
  /** Groups that it counts for, of which place they are, and of which version of all groups. */
  groups: { place: object | undefined; version: number; groups: readonly Group[] } = {
    place: undefined,
    version: -1,
    groups: [],
  };

  constructor(device: string, now: number) {
    this.device = device;
    this.crashHour = newCrashHour(now);
  }

  /** The crash hour that a heartbeat of this bucket counts into. */
  crashHourIn(bucket: number): CrashHour {
    if (this.#starts.at(-1)?.bucket !== bucket)
      this.#starts = [...this.#starts.slice(-1), { bucket, crashHour: copyCrashHour(this.crashHour) }];
    const fresh = newCrashHour(bucket);
    if (this.crashHour.hour !== fresh.hour) this.crashHour = fresh;
    return this.crashHour;
  }

  /**
   * JSON of what cannot be had from sums.
   * @param closed the bucket that is being stored
   * @param open the open bucket, of which it must not tell
   */
  toState(closed: number, open: number): string {
    const { marks, newest } = this;
    const crashHour = this.#startOf(open) ?? this.crashHour;
    return JSON.stringify({
      marks,
      newest,
      bucket: closed,
      before: this.#startOf(closed) ?? crashHour,
      crashHour,
    });
  }

  /**
   * @param whole the latest bucket that was stored as a whole: heartbeats of a later one are counted again
   * @throws MusterError `storage.broken`
   */
  takeState(text: string, whole: number): void {
    const { marks, newest, bucket, before, crashHour } = parseJson(State, text, "storage.broken");
    this.marks = marks;
    this.newest = newest;
    this.crashHour = bucket > whole ? before : crashHour;
  }

  #startOf(bucket: number): CrashHour | undefined {
    return this.#starts.find((start) => start.bucket === bucket)?.crashHour;
  }
}
