import type { HashName } from "@muster/shared/tpm/hash";
import type { ImaState } from "@muster/shared/tpm/ima-log";

/** Counters of a TPM as a link of the chain quoted them. */
export interface KnownClock {
  /** Index of the link. */
  readonly link: number;
  /** Milliseconds that the TPM was powered, decimal: it has 64 bits. */
  readonly clock: string;
  readonly resetCount: number;
  readonly restartCount: number;
}

/** Links that have not come, both ends included. */
export interface MissingLinks {
  readonly from: number;
  readonly to: number;
  /** When the gap was seen first, milliseconds since the epoch. */
  readonly since: number;
}

/** What was found in the list of the kernel since the box started. */
export interface ImaHistory {
  readonly state: ImaState;
  readonly violations: number;
  readonly unlisted: number;
  /** The first of them. */
  readonly examples: readonly string[];
}

/** What the firmware and the agent measured when it was last proven. */
export interface KnownPcrs {
  readonly bank: HashName;
  /** Hex by index. */
  readonly values: Readonly<Record<string, string>>;
  /** Name of the firmware state that it was, where a reference set lists it. */
  readonly firmware: string | null;
  readonly resetCount: number;
  /** Extensions of the agent's own PCR since the box started. */
  readonly measured: number;
}

/** What an appraisal remembers for the next one. JSON can hold it, and it is bounded. */
export interface DeviceHistory {
  /** Another key begins another chain. */
  readonly signingKey: string;
  readonly head: { readonly index: number; readonly digest: string } | null;
  /** Index of the first link that counts; -1 where the next link begins, whatever its index. */
  readonly base: number;
  /** Index, digest and former of the newest links, oldest first. */
  readonly recent: readonly (readonly [index: number, digest: string, previous: string | null])[];
  readonly missing: readonly MissingLinks[];
  /** What was seen of a second holder; stays until an operator clears it. */
  readonly forked: { readonly at: number; readonly message: string } | null;
  /** A disk that was put back: found until an operator clears it, and cleared until the device says no more of it. */
  readonly putBack: "found" | "cleared" | null;
  readonly clock: KnownClock | null;
  readonly tpmFirmware: string | null;
  readonly pcrs: KnownPcrs | null;
  readonly ima: ImaHistory | null;
  /** When a challenge was answered last, milliseconds since the epoch. */
  readonly freshAt: number | null;
}

export const newHistory = (signingKey: string): DeviceHistory => ({
  signingKey,
  head: null,
  base: 0,
  recent: [],
  missing: [],
  forked: null,
  putBack: null,
  clock: null,
  tpmFirmware: null,
  pcrs: null,
  ima: null,
  freshAt: null,
});
