import { MusterError } from "@muster/shared/errors";
import type { SigningKey } from "@muster/shared/trust/ed25519";
import type { Broker } from "../broker/broker.ts";
import type { Directory } from "../fleet/directory.ts";
import type { HeartbeatLedger } from "../health/ledger.ts";
import type { Stores } from "../storage/database.ts";
import { EnergyFactors } from "./factors.ts";
import { PolicyIssuer, type WantedPolicy } from "./issuer.ts";
import { PowerPolicies } from "./policies.ts";
import { EnergyReports } from "./report.ts";

export interface EnergyParts {
  stores: Stores;
  directory: Directory;
  ledger: HeartbeatLedger;
  /** Signs policies. */
  key: SigningKey;
  publishDown: Broker["publishDown"];
  /** Milliseconds since the epoch. */
  clock: () => number;
  onError: (error: unknown) => void;
}

/** What holds for a device. */
export interface DevicePolicy extends WantedPolicy {
  device: string;
  /** Which decision wins; null where there is none. */
  scope: string | null;
  /** The newest policy that it was given; null where it was given none. */
  generation: number | null;
  issuedAt: number | null;
}

/** Energy of the fleet: when work that can wait is done, and what inference costs. */
export class Energy {
  readonly policies: PowerPolicies;
  readonly factors: EnergyFactors;
  readonly reports: EnergyReports;
  readonly #issuer: PolicyIssuer;
  readonly #directory: Directory;

  /** Publishes what devices were given before the restart. */
  static async open(parts: EnergyParts): Promise<Energy> {
    const { stores, directory, key, publishDown, clock, onError } = parts;
    const policies = new PowerPolicies(stores.control, clock, () => {
      issuer.tick().catch(onError);
    });
    const issuer = await PolicyIssuer.open({ stores, directory, policies, key, publishDown, clock, onError });
    return new Energy(parts, policies, issuer);
  }

  private constructor(
    { stores, directory, ledger, clock }: EnergyParts,
    policies: PowerPolicies,
    issuer: PolicyIssuer,
  ) {
    this.policies = policies;
    this.factors = new EnergyFactors(stores.control, clock);
    this.reports = new EnergyReports(ledger, this.factors, stores.controlReader, clock);
    this.#issuer = issuer;
    this.#directory = directory;
  }

  /** Gives devices the policy that they lack; call it every minute or so. */
  tick(): Promise<void> {
    return this.#issuer.tick();
  }

  /** @throws MusterError `request.not-found` */
  async policyOf(id: string): Promise<DevicePolicy> {
    this.#directory.refresh();
    const device = this.#directory.get(id);
    if (!device) throw new MusterError("request.not-found", `There is no device ${id}.`);
    const wanted = await this.#issuer.wantedFor(device);
    const { timeZone } = this.#directory.sites.effective(device.site);
    const issued = this.#issuer.of(id);
    return {
      device: id,
      scope: wanted?.scope ?? null,
      timeZone,
      windows: wanted?.policy.windows ?? [],
      bestEffortOutside: wanted?.policy.bestEffortOutside ?? "run",
      generation: issued?.generation ?? null,
      issuedAt: issued?.issuedAt ?? null,
    };
  }
}
