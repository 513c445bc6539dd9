/** A time in which nothing new is told. */
export interface Freeze {
  id: string;
  /** Milliseconds since the epoch; `to` itself is free again. */
  from: number;
  to: number;
  /** This site and all below it; null for every site. */
  site: string | null;
  reason: string;
  /** Name of the operator. */
  createdBy: string;
}

/** When the freezes that hold a site now have all ended, milliseconds since the epoch; null where none holds it. */
export function frozenUntil(freezes: readonly Freeze[], site: string, now: number): number | null {
  const ends = freezes
    .filter(({ from, to }) => from <= now && now < to)
    .filter((freeze) => freeze.site === null || isWithin(site, freeze.site))
    .map(({ to }) => to);
  return ends.length === 0 ? null : Math.max(...ends);
}

const isWithin = (site: string, subtree: string): boolean =>
  site === subtree || site.startsWith(`${subtree}/`);
