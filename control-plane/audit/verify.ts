import { digestOf, isCheckpointSigned, isSigned } from "./chain.ts";
import type { AuditEntry, Checkpoint } from "./entry.ts";

export interface AuditFinding {
  kind:
    | "edited"
    | "missing"
    | "out-of-order"
    | "unsigned"
    | "broken-chain"
    | "truncated"
    | "rewritten"
    | "told";
  /** Entry that it is about. */
  seq: number;
  sentence: string;
}

export interface AuditReport {
  entries: number;
  /** First and last entry that was read; null where there was none. */
  first: number | null;
  last: number | null;
  /** Checkpoints that the log was held against. */
  checkpoints: number;
  /** Empty where the log is as it was written. */
  findings: AuditFinding[];
  /** Findings beyond those listed. */
  more: number;
}

const MOST_FINDINGS = 100;

/** Reads a log entry by entry, oldest first, and says where it is not as it was written. Pure. */
export class AuditVerifier {
  readonly #keys: readonly string[];
  readonly #checkpoints: ReadonlyMap<number, readonly Checkpoint[]>;
  readonly #since: number;
  readonly #findings: AuditFinding[] = [];
  readonly #cuts: { through: unknown; digest: unknown }[] = [];
  #held = 0;
  #more = 0;
  #entries = 0;
  #first: AuditEntry | undefined;
  #last: AuditEntry | undefined;

  /**
   * @param publicKeys those that may have signed, hex
   * @param checkpoints all that are known, of whatever place
   * @param since entry to begin with, where that of before is not to be had; 0 for the whole log
   */
  constructor(publicKeys: readonly string[], checkpoints: readonly Checkpoint[], since = 0) {
    this.#keys = publicKeys;
    this.#since = since;
    const known = new Map<number, Checkpoint[]>();
    for (const checkpoint of checkpoints) {
      if (!isCheckpointSigned(checkpoint, publicKeys)) {
        this.#find(
          "unsigned",
          checkpoint.seq,
          `A checkpoint of entry ${checkpoint.seq} is not signed by the audit key.`,
        );
        continue;
      }
      known.set(checkpoint.seq, [...(known.get(checkpoint.seq) ?? []), checkpoint]);
    }
    this.#checkpoints = known;
  }

  entry(entry: AuditEntry): void {
    this.#entries += 1;
    this.#first ??= entry;
    const { seq } = entry;
    if (!this.#isWhole(entry))
      this.#find("edited", seq, `Entry ${seq} is not what its digest was made of: it was edited.`);
    else if (!isSigned(entry, this.#keys))
      this.#find(
        "unsigned",
        seq,
        `Entry ${seq} is not signed by the audit key: it was put in, or written anew.`,
      );
    else this.#read(entry);
    this.#follow(entry);
    for (const checkpoint of this.#checkpoints.get(seq) ?? []) {
      this.#held += 1;
      if (checkpoint.digest !== entry.digest)
        this.#find(
          "rewritten",
          seq,
          `Entry ${seq} is another one than the checkpoint of ${timeOf(checkpoint.at)} saw: the log was cut before it and written on.`,
        );
    }
    this.#last = entry;
  }

  /** What came out, once the last entry was given. */
  finish(): AuditReport {
    this.#requireBeginning();
    const last = this.#last?.seq ?? 0;
    for (const [seq, [checkpoint]] of this.#checkpoints)
      if (seq > last && checkpoint)
        this.#find(
          "truncated",
          last,
          `The checkpoint of ${timeOf(checkpoint.at)} saw ${seq} entries, and the log ends with entry ${last}: what came after is gone.`,
        );
    return {
      entries: this.#entries,
      first: this.#first?.seq ?? null,
      last: this.#last?.seq ?? null,
      checkpoints: this.#held,
      findings: this.#findings,
      more: this.#more,
    };
  }

  #isWhole(entry: AuditEntry): boolean {
    try {
      return digestOf(entry) === entry.digest;
    } catch {
      return false;
    }
  }

  #read({ seq, action, actor, detail }: AuditEntry): void {
    if (actor.kind !== "system") return;
    if (action === "audit.cut") this.#cuts.push({ through: detail.through, digest: detail.digest });
    if (action === "audit.behind-checkpoint")
      this.#find(
        "told",
        seq,
        `Entry ${seq}: the control plane itself found its log cut back behind entry ${String(detail.checkpoint)}, as after a backup was put back.`,
      );
  }

  #follow(entry: AuditEntry): void {
    const last = this.#last;
    if (!last) return;
    const { seq } = entry;
    if (seq <= last.seq)
      this.#find("out-of-order", seq, `Entry ${seq} stands behind entry ${last.seq}: the order was changed.`);
    else if (seq > last.seq + 1)
      this.#find(
        "missing",
        last.seq + 1,
        seq === last.seq + 2
          ? `Entry ${last.seq + 1} is missing: it was deleted.`
          : `Entries ${last.seq + 1} to ${seq - 1} are missing: they were deleted.`,
      );
    else if (entry.previous !== last.digest)
      this.#find(
        "broken-chain",
        seq,
        `Entry ${seq} does not follow on entry ${last.seq}: one of the two is not the one that was written.`,
      );
  }

  /** A log that does not begin with its first entry needs a signed entry that says so. */
  #requireBeginning(): void {
    const first = this.#first;
    if (!first || first.seq <= 1 || first.seq === this.#since) {
      if (first?.seq === 1 && first.previous !== null)
        this.#find("broken-chain", 1, "Entry 1 names one before it: it is not the first that was written.");
      return;
    }
    const isCut = this.#cuts.some(
      ({ through, digest }) => through === first.seq - 1 && digest === first.previous,
    );
    if (!isCut)
      this.#find(
        "missing",
        1,
        `The log begins with entry ${first.seq}, and no signed entry says that those before were let go.`,
      );
  }

  #find(kind: AuditFinding["kind"], seq: number, sentence: string): void {
    if (this.#findings.length < MOST_FINDINGS) this.#findings.push({ kind, seq, sentence });
    else this.#more += 1;
  }
}

const timeOf = (at: number): string => (Number.isFinite(at) ? new Date(at).toISOString() : "an unknown time");
