import { MusterError } from "@muster/shared/errors";
import { type KeyLease, signKeyLease } from "@muster/shared/protocol/key-lease";
import { PROTOCOL_VERSION } from "@muster/shared/protocol/primitives";
import type { SigningKey } from "@muster/shared/trust/ed25519";
import { sealTo } from "@muster/shared/trust/sealed-box";
import type { VerdictTier } from "../attestation/verdict.ts";
import type { Directory } from "../fleet/directory.ts";
import type { FleetDevice } from "../fleet/fleet-device.ts";
import { type ToldReleases, toldReleases } from "../rollouts/told-releases.ts";
import type { ControlPlaneSettings } from "../settings/settings.ts";
import type { Stores } from "../storage/database.ts";
import { asStorageError } from "../storage/errors.ts";
import type { ModelKeys } from "./model-keys.ts";

/** Least verdict with which a device gets model keys; `any` is every device that is not withheld. */
type KeyVerdict = ControlPlaneSettings["keyVerdict"];

const GOOD: Readonly<Record<KeyVerdict, readonly VerdictTier[]>> = {
  affirming: ["affirming"],
  warning: ["affirming", "warning"],
  any: ["affirming", "warning", "none"],
};

/** Releases that a device was told before, as many as it may have to go back to. */
const MOST_TOLD = 32;

export interface KeyLeasesParts {
  stores: Pick<Stores, "control" | "controlReader">;
  directory: Directory;
  keys: ModelKeys;
  /** Signs leases: the key that devices know from directives. */
  signer: SigningKey;
  verdict: KeyVerdict;
  /** How long a device may load what it has a lease of, seconds. */
  leaseSeconds: number;
  random: (bytes: number) => Uint8Array;
  /** Milliseconds since the epoch. */
  clock: () => number;
}

/** Gives model keys to devices that pass, for a time, and only those of releases that they were told. */
export class KeyLeases {
  readonly #parts: KeyLeasesParts;
  readonly #told: ToldReleases;

  constructor(parts: KeyLeasesParts) {
    this.#parts = parts;
    this.#told = toldReleases(parts.stores.controlReader);
  }

  /**
   * A lease of each key, or of none. Each is on record before it is given out.
   * @throws MusterError `key.withheld`, `key.not-entitled`, `key.no-recipient`, `key.unknown`, `key.withdrawn`
   */
  async lease(id: string, keys: readonly string[]): Promise<KeyLease[]> {
    const { stores, directory, leaseSeconds, clock } = this.#parts;
    directory.refresh();
    const device = directory.get(id);
    if (!device) throw new MusterError("request.not-found", `There is no device ${id}.`);
    this.#requireTrust(device);
    const recipient = await this.#recipient(id);
    for (const key of keys) await this.#requireEntitled(device, key);
    const issuedAt = clock();
    const notAfter = issuedAt + leaseSeconds * 1000;
    const leases: KeyLease[] = [];
    for (const key of keys) leases.push(await this.#make(id, key, recipient, { issuedAt, notAfter }));
    try {
      await stores.control
        .insertInto("model_key_leases")
        .values(keys.map((key) => ({ device: id, key, issued_at: issuedAt, not_after: notAfter })))
        .onConflict((conflict) =>
          conflict.columns(["device", "key"]).doUpdateSet({ issued_at: issuedAt, not_after: notAfter }),
        )
        .execute();
    } catch (error) {
      throw asStorageError(error);
    }
    return leases;
  }

  #requireTrust({ trust, withheldBecause, verdict }: FleetDevice): void {
    if (withheldBecause !== null) throw new MusterError("key.withheld", withheldBecause);
    const least = this.#parts.verdict;
    if (GOOD[least].includes(trust.verdict)) return;
    throw new MusterError(
      "key.withheld",
      trust.verdict === "none" || verdict === null
        ? "There is no verdict in force on this device yet."
        : `The verdict is ${trust.verdict}, and model keys ask for ${least}: ${verdict.sentence}`,
    );
  }

  async #recipient(device: string): Promise<string> {
    const row = await this.#parts.stores.control
      .selectFrom("devices")
      .select("sealing_key")
      .where("id", "=", device)
      .executeTakeFirst();
    if (!row?.sealing_key) throw new MusterError("key.no-recipient");
    return row.sealing_key;
  }

  /**
   * Releases that it is told, or was told before: it may have to go back to those. What it says that it runs counts for
   * nothing, or whoever has its key could ask for every model by naming it.
   */
  async #requireEntitled({ id, directive }: FleetDevice, key: string): Promise<void> {
    const db = this.#parts.stores.control;
    const releases = await db.selectFrom("release_keys").select("release").where("key", "=", key).execute();
    const wanted = new Set(releases.map(({ release }) => release));
    if (wanted.has(directive?.release?.digest ?? "")) return;
    if (!this.#told(id, MOST_TOLD).some((digest) => wanted.has(digest)))
      throw new MusterError("key.not-entitled");
  }

  async #make(
    device: string,
    key: string,
    recipient: string,
    times: { issuedAt: number; notAfter: number },
  ): Promise<KeyLease> {
    const { keys, signer, random } = this.#parts;
    const secret = await keys.open(key);
    try {
      const sealed = sealTo(recipient, secret, random(32));
      return signKeyLease({ v: PROTOCOL_VERSION, device, key, ...times, sealed }, signer);
    } finally {
      secret.fill(0);
    }
  }
}
