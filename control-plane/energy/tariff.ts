import type { Factor } from "./factors.ts";

/** What a kilowatt hour costs and emits; null for what nobody told. */
export interface Rate {
  readonly costPerKwh: number | null;
  readonly gramsPerKwh: number | null;
}

/**
 * Factors by place. At a place and a moment the nearest site counts for which anything was told by then, of its
 * factors the latest that has begun; price and carbon are looked for apart.
 */
export class Tariff {
  readonly #bySite = new Map<string | null, Factor[]>();

  constructor(factors: readonly Factor[]) {
    for (const factor of [...factors].sort((a, b) => b.from - a.from || b.createdAt - a.createdAt)) {
      const known = this.#bySite.get(factor.site);
      if (known) known.push(factor);
      else this.#bySite.set(factor.site, [factor]);
    }
  }

  /** @param site path; empty for the fleet */
  at(site: string, moment: number): Rate {
    return {
      costPerKwh: this.#find(site, moment, "costPerKwh"),
      gramsPerKwh: this.#find(site, moment, "gramsPerKwh"),
    };
  }

  #find(site: string, moment: number, member: "costPerKwh" | "gramsPerKwh"): number | null {
    const names = site === "" ? [] : site.split("/");
    for (let depth = names.length; depth >= 0; depth -= 1) {
      const place = depth === 0 ? null : names.slice(0, depth).join("/");
      const found = this.#bySite
        .get(place)
        ?.find((factor) => factor.from <= moment && factor[member] !== null);
      if (found) return found[member];
    }
    return null;
  }
}
