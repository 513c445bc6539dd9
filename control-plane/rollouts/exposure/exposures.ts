import type { Arm } from "./arms.ts";
import { noSums, type Sums } from "./sums.ts";

/** Sums of both arms since the wave opened. */
export interface Arms {
  updated: Sums;
  control: Sums;
}

/** What one device measured in one block. */
export interface BlockSample {
  device: string;
  hardwareClass: string;
  arm: Arm;
  /** First block that the device served from its start to its end, as far as heartbeats show; -1 while there is none. */
  firstBlock: number;
  /** Made when it is asked for: of thousands of devices a few hundred are. */
  readonly sums: Sums;
}

/** Evidence of the open wave of a rollout, to be read and not changed. */
export interface Exposures {
  /** By hardware class. */
  arms(): ReadonlyMap<string, Arms>;
  /**
   * Hardware classes with a device of the open wave, told or to be told, and with at least so many controls; in
   * order, whether or not anybody has reported.
   */
  classes(leastControls: number): string[];
  /** True when the first block of some updated device in a round lies after `judged` and no later than `block`. */
  hasNewcomers(round: number, judged: number, block: number): boolean;
  /** Devices that measured something in a closed block of a round, in no certain order. */
  block(round: number, index: number): BlockSample[];
  /**
   * Updated devices that reported the release and whose first block of the first round is not over yet. No device
   * is waited for longer than the block after its first report.
   * @param judged newest block of the first round that was compared, -1 for none
   */
  awaited(judged: number, now: number): number;
}

export const NO_EXPOSURES: Exposures = {
  arms: () => new Map(),
  classes: () => [],
  hasNewcomers: () => false,
  block: () => [],
  awaited: () => 0,
};

export const noArms = (): Arms => ({ updated: noSums(), control: noSums() });
