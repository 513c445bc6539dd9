import { MusterError } from "@muster/shared/errors";
import type { Stores } from "../storage/database.ts";
import { inTransaction } from "../storage/transaction.ts";
import type { Actor } from "./model.ts";
import { rolloutWriter } from "./store.ts";
import { closed } from "./words.ts";

/** A release that failed on a hardware class. */
export interface QuarantineView {
  name: string;
  version: string;
  digest: string;
  hardwareClass: string;
  /** The rollout that found it bad, and why. */
  rollout: string;
  reason: string;
  /** Milliseconds since the epoch. */
  at: number;
}

/** Releases that no rollout takes to some hardware: what gates put there, operators take away. */
export class Quarantines {
  readonly #stores: Pick<Stores, "control" | "controlRaw">;
  readonly #clock: () => number;

  constructor(stores: Pick<Stores, "control" | "controlRaw">, clock: () => number) {
    this.#stores = stores;
    this.#clock = clock;
  }

  /** Newest first. */
  async list(): Promise<QuarantineView[]> {
    return await this.#rows(this.#stores.control).execute();
  }

  /**
   * Lifts a quarantine: rollouts may be planned and started there again, and late joiners are taken in. What a
   * rollout skipped stays skipped. The rollout that made the quarantine gets an event that says who, and why.
   * @param release digest, or `name@version`
   * @throws MusterError `request.not-found` where there is no such quarantine (any more)
   */
  async lift(release: string, hardwareClass: string, actor: Actor, reason: string): Promise<QuarantineView> {
    const { control, controlRaw } = this.#stores;
    return await inTransaction(control, async (tx) => {
      const found = (await this.#rows(tx).where("hardware_class", "=", hardwareClass).execute()).find(
        ({ digest, name, version }) => release === digest || release === `${name}@${version}`,
      );
      if (!found)
        throw new MusterError("request.not-found", `${release} is not in quarantine for ${hardwareClass}.`);
      await tx
        .deleteFrom("quarantines")
        .where("release", "=", found.digest)
        .where("hardware_class", "=", hardwareClass)
        .execute();
      const { name, version, rollout } = found;
      const sentence = closed(
        `${actor.name} lifted the quarantine of ${name} ${version} for ${hardwareClass}: ${reason}`,
      );
      const event = { kind: "quarantine-lifted", sentence, numbers: {} };
      rolloutWriter(controlRaw).events(rollout, [event], this.#clock());
      return found;
    });
  }

  #rows(db: Stores["control"]) {
    return db
      .selectFrom("quarantines")
      .innerJoin("releases", "releases.digest", "quarantines.release")
      .select(["name", "version", "digest", "hardware_class as hardwareClass", "rollout", "reason", "at"])
      .orderBy("at", "desc")
      .orderBy("name")
      .orderBy("version");
  }
}
