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
  crashHour: CrashHour,
});

/** What heartbeats of one device have told: in memory, and stored whenever a bucket closes. */
export class DeviceRecord {
  readonly device: string;
  readonly sums = new Accumulator();
  marks: SessionMarks = [];
  newest: Newest | null = null;
  crashHour: CrashHour;
  /** As it was when this bucket opened: what is stored with closed sums must not know of more than they do. */
  #before: { bucket: number; crashHour: CrashHour } | undefined;
  /** Groups that it counts for, and of which place they are. */
  groups: { place: object | undefined; groups: readonly Group[] } = { place: undefined, groups: [] };

  constructor(device: string, now: number) {
    this.device = device;
    this.crashHour = newCrashHour(now);
  }

  /** The crash hour that a heartbeat of this bucket counts into. */
  crashHourIn(bucket: number): CrashHour {
    if (this.#before?.bucket !== bucket) this.#before = { bucket, crashHour: copyCrashHour(this.crashHour) };
    const fresh = newCrashHour(bucket);
    if (this.crashHour.hour !== fresh.hour) this.crashHour = fresh;
    return this.crashHour;
  }

  /** JSON of what cannot be had from sums. @param open the open bucket, of which it must not tell */
  toState(open: number): string {
    const { marks, newest } = this;
    const crashHour = this.#before?.bucket === open ? this.#before.crashHour : this.crashHour;
    return JSON.stringify({ marks, newest, crashHour });
  }

  /** @throws MusterError `storage.broken` */
  takeState(text: string): void {
    const { marks, newest, crashHour } = parseJson(State, text, "storage.broken");
    this.marks = marks;
    this.newest = newest;
    this.crashHour = crashHour;
  }
}
