import { asMusterError, type MusterError } from "@muster/shared/errors";
import type { Evidence } from "@muster/shared/protocol/evidence";
import type { FreshBatch } from "../ingest/entries.ts";
import type { RecordObserver } from "../ingest/record-observer.ts";

/**
 * Takes the links of the evidence chain that come with the outbox. They are stored before the position of the outbox is:
 * a link that comes again is found in its place.
 */
export class EvidenceKeeper implements RecordObserver {
  readonly #take: (device: string, evidence: Evidence) => Promise<void>;
  readonly #refuse: (device: string, error: MusterError) => void;

  constructor(
    take: (device: string, evidence: Evidence) => Promise<void>,
    refuse: (device: string, error: MusterError) => void,
  ) {
    this.#take = take;
    this.#refuse = refuse;
  }

  /** @throws MusterError of the `storage.` family: then the batch is not taken, and comes again */
  async prepare(batches: readonly FreshBatch[]): Promise<void> {
    const taken = batches.flatMap(({ device, records }) =>
      records.flatMap((record) => (record.kind === "evidence" ? [this.#one(device, record.body)] : [])),
    );
    await Promise.all(taken);
  }

  store(): void {}

  stored(): void {}

  async #one(device: string, evidence: Evidence): Promise<void> {
    try {
      await this.#take(device, evidence);
    } catch (thrown) {
      const error = asMusterError(thrown);
      if (error.code.startsWith("storage.") || error.code === "attestation.overloaded") throw error;
      this.#refuse(device, error);
    }
  }
}
