import { asMusterError, isMusterError, MusterError } from "@muster/shared/errors";
import { DEVICE_API } from "@muster/shared/protocol/device-api";
import { KeyAnswer, type KeyLease, MOST_LEASES, requireLeaseFor } from "@muster/shared/protocol/key-lease";
import { parseJson } from "@muster/shared/protocol/validate";
import { openSealed } from "@muster/shared/trust/sealed-box";
import type { TrustedKeys } from "@muster/shared/trust/signed-document";
import type { Database } from "better-sqlite3";
import type { DeviceHttp } from "../link/device-http.ts";
import { postJson } from "../link/response.ts";
import { LeaseClock } from "./lease-clock.ts";
import { LeaseStore } from "./lease-store.ts";

export interface ModelKeyPorts {
  readonly device: string;
  /** Secret key to which leases are sealed, hex. */
  readonly secretKey: () => string;
  readonly database: Database;
  readonly http: DeviceHttp;
  /** Keys that may sign leases. */
  readonly keysFor: (keyId: string) => Promise<TrustedKeys>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly monotonic: () => number;
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
  /** Told when leases could not be renewed. */
  readonly failed: (error: MusterError) => void;
}

/** However seldom certificates are looked at: a short lease has to be renewed in time. */
const MOST_CHECK_MS = 60_000;
const LONGEST_WAIT_MS = 3_600_000;

/** Opens the keys of sealed models, by id; who asks wipes them. */
export type OpenKeys = (keys: readonly string[]) => Promise<ReadonlyMap<string, Buffer>>;

/**
 * Keys of the sealed models of this box: leased from the control plane, kept sealed, renewed while there is a line at
 * half of their time, and good without a line until they end.
 */
export class ModelKeys {
  readonly #ports: ModelKeyPorts;
  readonly #store: LeaseStore;
  readonly #clock: LeaseClock;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  /** By the monotonic clock. */
  #notBefore = Number.NEGATIVE_INFINITY;
  #renewing: Promise<void> | undefined;

  /** @throws MusterError of the storage family */
  constructor(ports: ModelKeyPorts) {
    this.#ports = ports;
    this.#store = new LeaseStore(ports.database);
    this.#clock = new LeaseClock({ now: ports.now, monotonic: ports.monotonic, floor: this.#store.floor });
  }

  /**
   * Sees to it that there is a lease of each of these keys; what has more than half of its time left is not asked for.
   * @throws MusterError `key.withheld` and others that the control plane answers, `key.lease-invalid`, `request.` or
   * `certificate.` when it cannot be reached
   */
  async obtain(keys: readonly string[]): Promise<void> {
    const wanted = keys.filter((key) => !this.#isFresh(this.#store.find(key)));
    for (let from = 0; from < wanted.length; from += MOST_LEASES)
      await this.#ask(wanted.slice(from, from + MOST_LEASES));
  }

  /**
   * The keys themselves.
   * @throws MusterError `key.lease-ended`, `key.unavailable` without a line, and as `obtain`
   */
  open: OpenKeys = async (keys) => {
    const opened = new Map<string, Buffer>();
    for (const key of new Set(keys)) opened.set(key, await this.#open(key));
    return opened;
  };

  /**
   * Renews leases at half of their time and forgets those that nothing needs; after a failure it waits longer and
   * longer, up to `LONGEST_WAIT_MS`.
   * @param checkMs time between two looks, at most a minute
   * @param needed keys of the releases on this box
   */
  start(checkMs: number, needed: () => readonly string[]): void {
    const everyMs = Math.min(checkMs, MOST_CHECK_MS);
    this.#timer = setInterval(() => void this.#look(everyMs, needed), everyMs);
    void this.#look(everyMs, needed);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewing;
  }

  /** One look at a time. */
  #look(everyMs: number, needed: () => readonly string[]): Promise<void> {
    this.#renewing ??= this.#renew(everyMs, needed()).finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renew(everyMs: number, needed: readonly string[]): Promise<void> {
    const { monotonic, failed } = this.#ports;
    try {
      this.#store.keepOnly(needed);
      if (needed.length === 0) return;
      this.#store.raiseFloor(this.#clock.floor);
      if (monotonic() < this.#notBefore) return;
      await this.obtain(needed);
      this.#failures = 0;
    } catch (error) {
      this.#failures += 1;
      this.#notBefore = monotonic() + Math.min(LONGEST_WAIT_MS, everyMs * 2 ** Math.min(this.#failures, 20));
      failed(asMusterError(error));
    }
  }

  #isFresh(lease: KeyLease | undefined): boolean {
    if (!lease) return false;
    const { issuedAt, notAfter } = lease.payload;
    return this.#clock.now() < (issuedAt + notAfter) / 2;
  }

  #isOver = ({ payload }: KeyLease): boolean => this.#clock.now() >= payload.notAfter;

  async #open(key: string): Promise<Buffer> {
    let lease = this.#store.find(key);
    if (!lease || this.#isOver(lease)) {
      await this.#ask([key]).catch((error: unknown) => {
        throw withoutLine(asMusterError(error), lease);
      });
      lease = this.#store.find(key);
    }
    if (!lease) throw new MusterError("key.unavailable");
    if (this.#isOver(lease)) throw ended(lease);
    // What lies on the disk is believed no more than what comes over the line.
    requireLeaseFor(lease, this.#ports.device, await this.#ports.keysFor(lease.keyId));
    return openSealed(this.#ports.secretKey(), lease.payload.sealed);
  }

  async #ask(keys: readonly string[]): Promise<void> {
    const { http, device, keysFor, log } = this.#ports;
    const text = await postJson(http, DEVICE_API.keys, { keys });
    const { leases } = parseJson(KeyAnswer, text, "wire.malformed") as { leases: KeyLease[] };
    for (const key of keys) {
      const lease = leases.find(({ payload }) => payload.key === key);
      if (!lease) throw new MusterError("key.lease-invalid", `The answer has no lease of ${key}.`);
      requireLeaseFor(lease, device, await keysFor(lease.keyId));
      this.#clock.learn(lease.payload.issuedAt);
      this.#store.store(lease);
    }
    this.#store.raiseFloor(this.#clock.floor);
    log.info({ keys: keys.length }, "leases of model keys were renewed");
  }
}

const ended = ({ payload }: KeyLease): MusterError =>
  new MusterError(
    "key.lease-ended",
    `The lease of the model key ended at ${new Date(payload.notAfter).toISOString()}.`,
  );

/** Without a line it is the lease that is missing; what the control plane answers says more than that. */
function withoutLine(error: MusterError, lease: KeyLease | undefined): MusterError {
  if (error.code.startsWith("key.") || isMusterError(error, "wire.malformed")) return error;
  return lease ? ended(lease) : new MusterError("key.unavailable", undefined, { cause: error });
}
