import { MusterError } from "@muster/shared/errors";
import { Millis, SitePath } from "@muster/shared/protocol/primitives";
import { validate } from "@muster/shared/protocol/validate";
import type { Kysely } from "kysely";
import { type Static, Type } from "typebox";
import { newId } from "../ids.ts";
import type { EnergyFactorsTable } from "../storage/tables/energy.ts";
import type { ControlTables } from "../storage/tables/index.ts";
import { inTransaction } from "../storage/transaction.ts";

/** What an operator tells of the energy at a place. */
export const NewFactor = Type.Object(
  {
    /** This site and all below it; the fleet where it is absent. */
    site: Type.Optional(SitePath),
    /** From when on, milliseconds since the epoch; now where it is absent. It may lie in the past. */
    from: Type.Optional(Millis),
    /** Price of a kilowatt hour, in `currency`. */
    costPerKwh: Type.Optional(Type.Number({ minimum: -1_000_000, maximum: 1_000_000 })),
    /** ISO 4217. */
    currency: Type.Optional(Type.String({ pattern: "^[A-Z]{3}$" })),
    /** Grams of CO2 equivalents of a kilowatt hour. */
    gramsPerKwh: Type.Optional(Type.Number({ minimum: 0, maximum: 100_000 })),
  },
  { additionalProperties: false },
);
export type NewFactor = Static<typeof NewFactor>;

/** Null for what was not told: it is inherited. Times in milliseconds since the epoch. */
export interface Factor {
  id: string;
  site: string | null;
  from: number;
  costPerKwh: number | null;
  currency: string | null;
  gramsPerKwh: number | null;
  createdBy: string;
  createdAt: number;
}

const MOST_FACTORS = 10_000;

/** Price and carbon of energy by place and time. */
export class EnergyFactors {
  readonly #db: Kysely<ControlTables>;
  readonly #now: () => number;

  constructor(db: Kysely<ControlTables>, now: () => number) {
    this.#db = db;
    this.#now = now;
  }

  /**
   * @param operator name of who asks
   * @throws MusterError `energy.invalid`, also for a second currency: sums over sites would mean nothing
   */
  async add(wanted: NewFactor, operator: string): Promise<Factor> {
    const now = this.#now();
    const factor = validate(NewFactor, wanted, "energy.invalid");
    const { site = null, from = now, costPerKwh = null, currency = null, gramsPerKwh = null } = factor;
    if (costPerKwh === null && gramsPerKwh === null)
      throw new MusterError("energy.invalid", "Tell a price, the carbon, or both.");
    if ((costPerKwh === null) !== (currency === null))
      throw new MusterError("energy.invalid", "A price needs its currency, and a currency a price.");
    const row: EnergyFactorsTable = {
      id: newId("factor"),
      site,
      from_at: from,
      cost_per_kwh: costPerKwh,
      currency,
      grams_per_kwh: gramsPerKwh,
      created_by: operator,
      created_at: now,
    };
    await inTransaction(this.#db, async (tx) => {
      const rows = await tx.selectFrom("energy_factors").select(["currency"]).execute();
      if (rows.length >= MOST_FACTORS)
        throw new MusterError("energy.invalid", `There are ${MOST_FACTORS} factors: take some away.`);
      const other = rows.find(
        (each) => each.currency !== null && currency !== null && each.currency !== currency,
      );
      if (other)
        throw new MusterError(
          "energy.invalid",
          `Prices are in ${other.currency}: those in ${currency} cannot be added to them.`,
        );
      await tx.insertInto("energy_factors").values(row).execute();
    });
    return factorOf(row);
  }

  /** By place, then by time. */
  async list(): Promise<Factor[]> {
    const rows = await this.#db
      .selectFrom("energy_factors")
      .selectAll()
      .orderBy("site")
      .orderBy("from_at")
      .execute();
    return rows.map(factorOf);
  }

  /** @throws MusterError `request.not-found` */
  async remove(id: string): Promise<void> {
    const { numDeletedRows } = await this.#db
      .deleteFrom("energy_factors")
      .where("id", "=", id)
      .executeTakeFirst();
    if (numDeletedRows === 0n) throw new MusterError("request.not-found", `There is no energy factor ${id}.`);
  }
}

const factorOf = (row: EnergyFactorsTable): Factor => ({
  id: row.id,
  site: row.site,
  from: row.from_at,
  costPerKwh: row.cost_per_kwh,
  currency: row.currency,
  gramsPerKwh: row.grams_per_kwh,
  createdBy: row.created_by,
  createdAt: row.created_at,
});
