import { asMusterError, type MusterError } from "@muster/shared/errors";
import {
  PowerPolicy,
  type PowerPolicyPayload,
  verifyPowerPolicy,
} from "@muster/shared/protocol/power-policy";
import { parseJson } from "@muster/shared/protocol/validate";
import { offsetAt } from "@muster/shared/time/zone-offset";
import type { TrustedKeys } from "@muster/shared/trust/signed-document";
import type { Database } from "better-sqlite3";
import { asStorageError } from "../storage/errors.ts";
import { PolicyStore } from "./policy-store.ts";

export interface PolicyPorts {
  /** Device id, the audience of policies. */
  readonly device: string;
  readonly database: Database;
  /** Keys that may sign policies; a key id that is not known may be newer than the trust root. */
  readonly keysFor: (keyId: string) => Promise<TrustedKeys>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly onAccepted: (policy: PowerPolicyPayload) => void;
  readonly onRefused: (error: MusterError) => void;
}

/** What became of a policy; `deferred` ones have to be offered again. */
export type PolicyVerdict = "accepted" | "current" | "refused" | "deferred";

/** Offers that may wait for their turn. */
const MAX_WAITING_OFFERS = 16;

/** The power policy of this device: the newest genuine one, kept before anything follows from it. */
export class Policy {
  readonly #ports: PolicyPorts;
  readonly #store: PolicyStore;
  #newest: PowerPolicyPayload | null;
  #offers: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Reads what is kept. @throws MusterError of the storage family */
  constructor(ports: PolicyPorts) {
    this.#ports = ports;
    this.#store = new PolicyStore(ports.database);
    this.#newest = this.#store.newest();
  }

  /** Null before the first one. */
  get newest(): PowerPolicyPayload | null {
    return this.#newest;
  }

  /** Takes a policy as it was received, by whatever way. */
  offer(received: string | Uint8Array): Promise<PolicyVerdict> {
    if (this.#waiting >= MAX_WAITING_OFFERS) return Promise.resolve("deferred");
    this.#waiting += 1;
    const result = this.#offers.then(() => this.#consider(received));
    this.#offers = result;
    return result.finally(() => {
      this.#waiting -= 1;
    });
  }

  async #consider(received: string | Uint8Array): Promise<PolicyVerdict> {
    try {
      const policy = parseJson(PowerPolicy, received, "wire.malformed") as PowerPolicy;
      const { device, keysFor, now } = this.#ports;
      const { payload } = policy;
      const verdict = verifyPowerPolicy(policy, {
        device,
        generation: this.#newest?.generation ?? 0,
        keys: await keysFor(policy.keyId),
        now: now(),
      });
      if (verdict === "current") return "current";
      // A zone that this box does not know would fail at every look.
      offsetAt(payload.timeZone, now());
      this.#store.accept(payload, now());
      this.#newest = payload;
      this.#ports.onAccepted(payload);
      return "accepted";
    } catch (error) {
      const coded = asMusterError(asStorageError(error));
      if (coded.retryable) return "deferred";
      this.#ports.onRefused(coded);
      return "refused";
    }
  }
}
