/** What operators decided about work that can wait, one row for each place. */
export interface PowerPoliciesTable {
  /** `fleet`, `site:PATH` or `group:NAME`. */
  scope: string;
  /** JSON of `PolicyContent`. */
  content: string;
  /** Name of an operator. */
  changed_by: string;
  /** Milliseconds since the epoch, as all times here. */
  changed_at: number;
}

/** The newest signed policy of a device; what says that nothing binds is kept too, for its generation. */
export interface DevicePoliciesTable {
  device: string;
  generation: number;
  issued_at: number;
  /** What it says, JSON: to see whether another one is due. */
  content: string;
  /** The signed document, JSON. */
  document: string;
}

/** What a kilowatt hour costs and emits at a place from a moment on. */
export interface EnergyFactorsTable {
  id: string;
  /** Site path with all below it; null for the fleet. */
  site: string | null;
  from_at: number;
  cost_per_kwh: number | null;
  /** ISO 4217. */
  currency: string | null;
  /** Grams of CO2 equivalents. */
  grams_per_kwh: number | null;
  created_by: string;
  created_at: number;
}

export interface EnergyTables {
  power_policies: PowerPoliciesTable;
  device_policies: DevicePoliciesTable;
  energy_factors: EnergyFactorsTable;
}
