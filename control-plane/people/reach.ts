import { EVERYWHERE, type Grant, isWithin } from "./grants.ts";
import { isAtLeast, type Role } from "./roles.ts";

/** The sites at which somebody has a role: where he may see, or change, what lies there. */
export class Reach {
  /** Paths, none of them below another; each stands for everything below it too. */
  readonly sites: readonly string[];

  private constructor(sites: readonly string[]) {
    this.sites = sites;
  }

  static readonly everywhere = new Reach([EVERYWHERE]);

  /** Where these grants give at least the role. */
  static of(grants: readonly Grant[], role: Role): Reach {
    const paths = [...new Set(grants.filter((each) => isAtLeast(each.role, role)).map(({ site }) => site))];
    const outermost = paths.filter((path) => !paths.some((other) => other !== path && isWithin(path, other)));
    return new Reach(outermost.sort());
  }

  get isEverywhere(): boolean {
    return this.sites.includes(EVERYWHERE);
  }

  get isNowhere(): boolean {
    return this.sites.length === 0;
  }

  /** Whether everything at and below the site lies within. */
  covers(site: string): boolean {
    return this.sites.some((path) => isWithin(site, path));
  }

  /** Whether anything at or below the site lies within. */
  touches(site: string): boolean {
    return this.covers(site) || this.sites.some((path) => isWithin(path, site));
  }

  /** `eu/de, eu/fr`, for sentences. */
  get text(): string {
    return this.isEverywhere ? "the whole fleet" : this.sites.join(", ");
  }
}
