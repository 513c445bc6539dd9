import type { BlastRadius, Limit } from "../plan.ts";
import type { AdmissionCandidate, PlaceFacts, Strength } from "./facts.ts";

/** The region of a site: the first `depth` names of its path, all of them where it has no more. */
export const regionOf = (site: string, depth: number): string => site.split("/", depth).join("/");

interface Budget {
  left: number;
}

/** Rounded down, but not by what binary fractions take away, and at least 1: 0 would never end. */
const most = (limit: Limit, devices: number): number =>
  "count" in limit
    ? limit.count
    : Math.max(1, Math.floor(Number(((devices * limit.percent) / 100).toFixed(6))));

/** Counting the fleet takes a while: a place is asked only where the plan has a limit for it. */
function budgetOf(limit: Limit | undefined, strength: () => Strength): Budget {
  if (!limit) return { left: Number.POSITIVE_INFINITY };
  const { devices, unavailable } = strength();
  return { left: most(limit, devices) - unavailable };
}

/**
 * How many more devices may become unavailable in each place. A device that is told counts from then on, since
 * it stops serving when it changes; one that does not serve anyway is counted already and costs nothing.
 */
export class BlastRadiusBudget {
  readonly #limits: BlastRadius & { regionDepth: number };
  readonly #places: PlaceFacts;
  readonly #ofSite = new Map<string, readonly Budget[]>();
  readonly #regions = new Map<string, Budget>();
  readonly #classes = new Map<string, Budget>();

  constructor(limits: BlastRadius & { regionDepth: number }, places: PlaceFacts) {
    this.#limits = limits;
    this.#places = places;
  }

  permits({ site, hardwareClass, unavailable }: AdmissionCandidate): boolean {
    if (unavailable) return true;
    return this.#at(site).every(({ left }) => left >= 1) && this.#of(hardwareClass).left >= 1;
  }

  take({ site, hardwareClass, unavailable }: AdmissionCandidate): void {
    if (unavailable) return;
    for (const budget of this.#at(site)) budget.left -= 1;
    this.#of(hardwareClass).left -= 1;
  }

  /** Budgets of a site and of its region. */
  #at(site: string): readonly Budget[] {
    let budgets = this.#ofSite.get(site);
    if (!budgets) {
      const own = budgetOf(this.#limits.site, () => this.#places.site(site));
      budgets = [own, this.#region(regionOf(site, this.#limits.regionDepth))];
      this.#ofSite.set(site, budgets);
    }
    return budgets;
  }

  #region(path: string): Budget {
    let budget = this.#regions.get(path);
    if (!budget) {
      budget = budgetOf(this.#limits.region, () => this.#places.region(path, this.#limits.regionDepth));
      this.#regions.set(path, budget);
    }
    return budget;
  }

  #of(hardwareClass: string): Budget {
    let budget = this.#classes.get(hardwareClass);
    if (!budget) {
      budget = budgetOf(this.#limits.hardwareClass, () => this.#places.hardwareClass(hardwareClass));
      this.#classes.set(hardwareClass, budget);
    }
    return budget;
  }
}
