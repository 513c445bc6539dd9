import type { DriftBody } from "@muster/shared/protocol/drift-window";

/** Where one device stands with one model, by the newest window that it judged. */
export interface Standing {
  readonly release: string;
  readonly variant: string;
  /** When the window was received, milliseconds since the epoch. */
  readonly at: number;
  readonly againstReference: DriftBody["againstReference"];
  readonly againstBaseline: DriftBody["againstBaseline"];
}

/** What a model of a device goes by: a release may have it in several versions. */
export const nameOf = ({ model, version }: { model: string; version: string }): string =>
  `${model} ${version}`;

/** Models of one device remembered; a release has at most 32 components. */
const MOST_MODELS = 32;

/** A standing that is older says nothing about now, milliseconds. */
const STALE_MS = 6 * 3_600_000;

/** The newest standing of every device and model, in memory. */
export class Standings {
  readonly #devices = new Map<string, Map<string, Standing>>();

  put(device: string, model: string, standing: Standing): void {
    const models = this.#devices.get(device) ?? new Map<string, Standing>();
    this.#devices.set(device, models);
    models.delete(model);
    models.set(model, standing);
    const [oldest] = models.keys();
    if (models.size > MOST_MODELS && oldest !== undefined) models.delete(oldest);
  }

  /** Of the release that the device runs, and not too old to say something. */
  of(device: string, running: string | undefined, now: number): [model: string, standing: Standing][] {
    const models = this.#devices.get(device);
    if (!models) return [];
    return [...models].filter(([, { release, at }]) => release === running && now - at <= STALE_MS);
  }
}

/** The device itself raised an alarm: against the reference of the release, or against its own beginning. */
export const alarms = ({ againstReference, againstBaseline }: Standing): boolean =>
  againstReference?.alarm === true || againstBaseline?.alarm === true;
