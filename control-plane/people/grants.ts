import { SitePath } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";
import { isAtLeast, lowerRole, ROLES, type Role } from "./roles.ts";

/** Stands for every site, those to come included. */
export const EVERYWHERE = "*";

/** A role at a site and everything below it, or everywhere. */
export const Grant = Type.Object(
  {
    role: Type.Enum([...ROLES]),
    site: Type.Union([Type.Literal(EVERYWHERE), SitePath]),
  },
  { additionalProperties: false },
);
export type Grant = Static<typeof Grant>;

/** Of one operator, one token or one rule. */
export const Grants = Type.Array(Grant, { minItems: 1, maxItems: 64 });

/** Whether `site` is `above` or lies below it. */
export const isWithin = (site: string, above: string): boolean =>
  above === EVERYWHERE || site === above || site.startsWith(`${above}/`);

/** What both allow: a token never gives more than its operator has. */
export function both(operator: readonly Grant[], token: readonly Grant[]): Grant[] {
  const allowed: Grant[] = [];
  for (const a of operator)
    for (const b of token) {
      const site = isWithin(a.site, b.site) ? a.site : isWithin(b.site, a.site) ? b.site : undefined;
      if (site !== undefined) allowed.push({ role: lowerRole(a.role, b.role), site });
    }
  return allowed;
}

/** Whether `own` allows all that `wanted` allows. */
export const allowsAll = (own: readonly Grant[], wanted: readonly Grant[]): boolean =>
  wanted.every((each) =>
    own.some(({ role, site }) => isAtLeast(role, each.role) && isWithin(each.site, site)),
  );

/** `admin at *, viewer at eu/de`. */
export const grantsText = (grants: readonly Grant[]): string =>
  grants.length === 0 ? "nothing" : grants.map(({ role, site }) => `${role} at ${site}`).join(", ");

/** @see ROLES */
export const isRole = (text: string): text is Role => (ROLES as readonly string[]).includes(text);
