import { MusterError } from "@muster/shared/errors";
import { PROTOCOL_VERSION, type ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ReportedState } from "@muster/shared/protocol/state";
import { type Directive, signDirective } from "@muster/shared/trust/directive";
import type { SigningKey } from "@muster/shared/trust/ed25519";
import type { ControlTransaction } from "../storage/transaction.ts";

/** How long a directive may be taken up, milliseconds. */
const DIRECTIVE_VALIDITY = 30 * 86_400_000;

export interface IssuedDirective {
  device: string;
  generation: number;
  /** JSON text, as stored and as published. */
  text: string;
}

/** Signs the directives of the fleet: the one place where a generation is counted up. */
export class Directives {
  readonly #key: SigningKey;
  readonly #clock: () => number;

  constructor(key: SigningKey, clock: () => number) {
    this.#key = key;
    this.#clock = clock;
  }

  /**
   * Stores a newer directive for a device within the caller's transaction; publish it after the commit. Its
   * floor is 0, since a rollout must be able to go back: the generation alone keeps old directives out.
   * @throws MusterError `request.not-found` for a device that does not exist
   */
  async issue(
    tx: ControlTransaction,
    device: string,
    desired: { release: ReleaseRef | null; rollout: string | null },
  ): Promise<IssuedDirective> {
    const row = await tx
      .selectFrom("devices")
      .select("generation")
      .where("id", "=", device)
      .executeTakeFirst();
    if (!row) throw new MusterError("request.not-found", `There is no device ${device}.`);
    const generation = row.generation + 1;
    const issuedAt = this.#clock();
    const directive = signDirective(
      {
        v: PROTOCOL_VERSION,
        device,
        generation,
        issuedAt,
        notAfter: issuedAt + DIRECTIVE_VALIDITY,
        rollout: desired.rollout,
        release: desired.release,
        floor: 0,
      },
      this.#key,
    );
    const text = JSON.stringify(directive);
    await tx.updateTable("devices").set({ generation, directive: text }).where("id", "=", device).execute();
    return { device, generation, text };
  }

  /**
   * Issues anew, with the same content, every directive that its device has not taken up and half of whose
   * validity is over: a device that comes back after a long time finds one that it may still accept.
   */
  async renewDue(tx: ControlTransaction): Promise<IssuedDirective[]> {
    const rows = await tx
      .selectFrom("devices")
      .select(["id", "directive", "reported"])
      .where("status", "=", "active")
      .where("directive", "is not", null)
      .execute();
    const renewed: IssuedDirective[] = [];
    for (const { id, directive, reported } of rows) {
      const { payload } = JSON.parse(directive as string) as Directive;
      if (this.#clock() < payload.issuedAt + DIRECTIVE_VALIDITY / 2) continue;
      const accepted = reported === null ? 0 : (JSON.parse(reported) as ReportedState).generation;
      if (accepted < payload.generation) renewed.push(await this.issue(tx, id, payload));
    }
    return renewed;
  }
}
