import type { OutboxRecord } from "@muster/shared/protocol/messages";
import type { Digest } from "@muster/shared/protocol/primitives";
import type { ReportedState } from "@muster/shared/protocol/state";
import type { SigningKey } from "@muster/shared/trust/ed25519";
import type { Database } from "better-sqlite3";
import type { Tpm } from "../tpm/tpm.ts";

/** What of a TPM evidence is made with. */
export type AttestationTpm = Pick<Tpm, "attestationKey" | "quote" | "extend" | "counter">;

export interface AttestationLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** What the device runs at this moment. */
export interface Running {
  state: ReportedState;
  /** Digest of the newest entry of the update journal. */
  journalHead: Digest;
  /** What runs is what the journal says, or has settled for less: nothing is on its way. */
  settled: boolean;
}

export type EvidenceRecord = Omit<Extract<OutboxRecord, { kind: "evidence" }>, "seq">;

export interface AttestationPorts {
  device: string;
  /** Open by the time that evidence is made. */
  key: () => SigningKey;
  database: Database;
  /** Durable when `append` returns; on the same database, so that it joins the caller's transaction. */
  outbox: { append(records: EvidenceRecord[]): unknown };
  /** Id of this boot of the machine. */
  boot: string;
  agentVersion: string;
  /** Measures the code that this agent runs. */
  codeDigest: () => Promise<Digest>;
  running: () => Running;
  /** The TPM of the box; undefined where it has none. @throws MusterError of the family `tpm.` where it cannot be used */
  tpm: () => Promise<AttestationTpm | undefined>;
  notice: (code: string, message: string) => unknown;
  log: AttestationLog;
  /** Milliseconds since the epoch. */
  now: () => number;
}

export interface AttestationSettings {
  /** The agent's own PCR; null for none. */
  measurementPcr: number | null;
  /** Longest time without a link of the chain, milliseconds. */
  evidenceMs: number;
  /** Longest wait for what runs to settle before the first link, and before an answer, milliseconds. */
  settleMs: { start: number; answer: number };
  /** Longest wait for the TPM in one piece of evidence, milliseconds. */
  tpmMs: number;
  /** Where the kernel shows the UEFI event log, and the ASCII list of IMA. */
  bootLog: string;
  imaList: string;
}
