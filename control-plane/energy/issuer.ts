import { setImmediate as breathe } from "node:timers/promises";
import { signPowerPolicy } from "@muster/shared/protocol/power-policy";
import { PROTOCOL_VERSION } from "@muster/shared/protocol/primitives";
import type { SigningKey } from "@muster/shared/trust/ed25519";
import type { Broker } from "../broker/broker.ts";
import type { Directory } from "../fleet/directory.ts";
import type { FleetDevice } from "../fleet/fleet-device.ts";
import type { Stores } from "../storage/database.ts";
import type { PolicyContent, PolicyInfo } from "./policies.ts";
import { scopesOf } from "./scope.ts";

/** How long a policy binds, milliseconds; it is issued anew after half of it. */
const POLICY_VALIDITY_MS = 30 * 86_400_000;
/** Devices looked at, and policies written, before others get their turn. */
const SLICE = 100;
/** Takes back whatever a policy said. */
const NOTHING_BINDS: PolicyContent = { windows: [], bestEffortOutside: "run" };

/** What one device is to be told. */
export interface WantedPolicy extends PolicyContent {
  /** IANA name. */
  timeZone: string;
}

/** All decisions of one look at the fleet. */
interface Decisions {
  readonly byScope: ReadonlyMap<string, PolicyInfo>;
  /** Groups are looked up only where one is named: that costs a selector for each group and device. */
  readonly nameGroups: boolean;
}

export interface IssuedPolicy {
  device: string;
  generation: number;
  issuedAt: number;
  /** JSON of `WantedPolicy`. */
  content: string;
  /** JSON of the signed policy. */
  document: string;
}

export interface IssuerPorts {
  stores: Pick<Stores, "control" | "writeControl">;
  directory: Directory;
  policies: { list(): Promise<PolicyInfo[]> };
  key: SigningKey;
  publishDown: Broker["publishDown"];
  /** Milliseconds since the epoch. */
  clock: () => number;
  onError: (error: unknown) => void;
}

/**
 * Gives each device the policy that holds for it: level-triggered, what it was given is compared with what it should
 * have. A device for which nothing was ever decided is given nothing.
 */
export class PolicyIssuer {
  readonly #ports: IssuerPorts;
  readonly #issued = new Map<string, IssuedPolicy>();
  readonly #unpublished = new Map<string, IssuedPolicy>();
  #running: Promise<void> | undefined;
  #again = false;

  private constructor(ports: IssuerPorts) {
    this.#ports = ports;
  }

  /** Reads what devices were given, and publishes it: the broker keeps retained messages in memory only. */
  static async open(ports: IssuerPorts): Promise<PolicyIssuer> {
    const issuer = new PolicyIssuer(ports);
    const rows = await ports.stores.control.selectFrom("device_policies").selectAll().execute();
    for (const { device, generation, issued_at, content, document } of rows) {
      const policy = { device, generation, issuedAt: issued_at, content, document };
      issuer.#issued.set(device, policy);
      issuer.#unpublished.set(device, policy);
    }
    await issuer.#publish();
    return issuer;
  }

  /** The newest policy that the device was given. */
  of(device: string): IssuedPolicy | undefined {
    return this.#issued.get(device);
  }

  /** What holds for a device now, and by which scope; undefined where nothing was decided. */
  async wantedFor(device: FleetDevice): Promise<{ scope: string; policy: WantedPolicy } | undefined> {
    return this.#wanted(device, await this.#decisions());
  }

  /** Brings every device up to date; a call while one is under way makes it look again. */
  tick(): Promise<void> {
    this.#again = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      await this.#issue();
      await this.#publish();
    }
  }

  async #issue(): Promise<void> {
    const { directory, stores } = this.#ports;
    directory.refresh();
    const decided = await this.#decisions();
    if (decided.byScope.size === 0 && this.#issued.size === 0) return;
    let due: IssuedPolicy[] = [];
    const flush = async () => {
      const batch = due;
      due = [];
      if (batch.length === 0) return;
      await stores.writeControl((db) => {
        const put = db.prepare(
          `INSERT INTO device_policies (device, generation, issued_at, content, document) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (device) DO UPDATE SET generation = excluded.generation, issued_at = excluded.issued_at,
             content = excluded.content, document = excluded.document`,
        );
        for (const { device, generation, issuedAt, content, document } of batch)
          put.run(device, generation, issuedAt, content, document);
      });
      for (const policy of batch) {
        this.#issued.set(policy.device, policy);
        this.#unpublished.set(policy.device, policy);
      }
    };
    let looked = 0;
    for (const device of [...directory.all()]) {
      const next = device.active ? this.#next(device, decided) : undefined;
      if (next) due.push(next);
      looked += 1;
      if (looked % SLICE > 0) continue;
      await flush();
      await breathe();
    }
    await flush();
  }

  /** The policy that the device lacks. */
  #next(device: FleetDevice, decided: Decisions): IssuedPolicy | undefined {
    const former = this.#issued.get(device.id);
    const found = this.#wanted(device, decided)?.policy;
    if (!found && !former) return undefined;
    const { timeZone, windows, bestEffortOutside } = found ?? { ...NOTHING_BINDS, timeZone: "UTC" };
    const content = JSON.stringify({ timeZone, windows, bestEffortOutside });
    const now = this.#ports.clock();
    // What does not bind may end without harm.
    const renewAt = bestEffortOutside === "run" ? Number.POSITIVE_INFINITY : POLICY_VALIDITY_MS / 2;
    if (former?.content === content && now - former.issuedAt < renewAt) return undefined;
    // By the clock: after a database was restored from a backup its next policy is newer than what devices have.
    const generation = Math.max((former?.generation ?? 0) + 1, now);
    const notAfter = now + POLICY_VALIDITY_MS;
    const payload = { v: PROTOCOL_VERSION, device: device.id, generation, issuedAt: now, notAfter } as const;
    const document = signPowerPolicy({ ...payload, timeZone, windows, bestEffortOutside }, this.#ports.key);
    return { device: device.id, generation, issuedAt: now, content, document: JSON.stringify(document) };
  }

  #wanted(
    device: FleetDevice,
    { byScope, nameGroups }: Decisions,
  ): { scope: string; policy: WantedPolicy } | undefined {
    const { directory } = this.#ports;
    const groups = nameGroups ? directory.groupsOf(device) : [];
    const scope = scopesOf(device.site, groups).find((each) => byScope.has(each));
    if (scope === undefined) return undefined;
    const { windows, bestEffortOutside } = byScope.get(scope)!;
    const { timeZone } = directory.sites.effective(device.site);
    return { scope, policy: { timeZone, windows, bestEffortOutside } };
  }

  async #decisions(): Promise<Decisions> {
    const policies = await this.#ports.policies.list();
    return {
      byScope: new Map(policies.map((policy) => [policy.scope, policy])),
      nameGroups: policies.some(({ scope }) => scope.startsWith("group:")),
    };
  }

  /** What the broker does not take now is tried again the next time. */
  async #publish(): Promise<void> {
    for (const [device, policy] of [...this.#unpublished])
      try {
        await this.#ports.publishDown(device, "policy", policy.document, { retain: true });
        if (this.#unpublished.get(device) === policy) this.#unpublished.delete(device);
      } catch (error) {
        this.#ports.onError(error);
        return;
      }
  }
}
