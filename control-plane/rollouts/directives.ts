import { MusterError } from "@muster/shared/errors";
import { PROTOCOL_VERSION, type ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ShadowRule } from "@muster/shared/protocol/shadow-rule";
import { signDirective } from "@muster/shared/trust/directive";
import type { SigningKey } from "@muster/shared/trust/ed25519";
import type { Database, Statement } from "better-sqlite3";
import type { FleetDevice } from "../fleet/fleet-device.ts";

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
  #prepared: { db: Database; generation: Statement; store: Statement } | undefined;

  constructor(key: SigningKey, clock: () => number) {
    this.#key = key;
    this.#clock = clock;
  }

  /**
   * Stores a newer directive for a device within the caller's transaction; publish it after the commit. Its
   * floor is 0, since a rollout must be able to go back: the generation alone keeps old directives out.
   * @throws MusterError `request.not-found` for a device that does not exist
   */
  issue(
    db: Database,
    device: string,
    desired: { release: ReleaseRef | null; rollout: string | null; shadow: ShadowRule | null },
  ): IssuedDirective {
    const { generation: current, store } = this.#statements(db);
    const former = current.get(device) as number | undefined;
    if (former === undefined) throw new MusterError("request.not-found", `There is no device ${device}.`);
    const generation = former + 1;
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
        shadow: desired.shadow,
      },
      this.#key,
    );
    const text = JSON.stringify(directive);
    store.run(generation, text, device);
    return { device, generation, text };
  }

  /**
   * True for a directive that its device has not taken up and half of whose validity is over: issued anew with
   * the same content, a device that comes back after a long time finds one that it may still accept. One that is
   * withheld has to pass first.
   */
  isDue({ active, directive, reported, withheldBecause }: FleetDevice): boolean {
    if (!active || directive === null || withheldBecause !== null) return false;
    if (this.#clock() < directive.issuedAt + DIRECTIVE_VALIDITY / 2) return false;
    return (reported?.generation ?? 0) < directive.generation;
  }

  #statements(db: Database) {
    if (this.#prepared?.db !== db)
      this.#prepared = {
        db,
        generation: db.prepare("SELECT generation FROM devices WHERE id = ?").pluck(),
        store: db.prepare("UPDATE devices SET generation = ?, directive = ? WHERE id = ?"),
      };
    return this.#prepared;
  }
}
