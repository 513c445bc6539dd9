import { MusterError } from "@muster/shared/errors";
import { Name, SitePath } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";

/** Where a policy holds: a group, a site with all below it, or the whole fleet where neither is named. */
export const PolicyScope = Type.Object(
  { site: Type.Optional(SitePath), group: Type.Optional(Name) },
  { additionalProperties: false },
);
export type PolicyScope = Static<typeof PolicyScope>;

const FLEET = "fleet";

/** One text for a scope. @throws MusterError `request.invalid` where both are named */
export function scopeText({ site, group }: PolicyScope): string {
  if (site !== undefined && group !== undefined)
    throw new MusterError("request.invalid", "Name a site or a group, not both.");
  return site !== undefined ? `site:${site}` : group !== undefined ? `group:${group}` : FLEET;
}

/**
 * The scopes that a device is in, the one that wins first: its groups by name, then its site and those above it from
 * the nearest on, then the fleet.
 */
export function scopesOf(site: string, groups: readonly string[]): string[] {
  const names = site.split("/");
  const sites = names.map((_, index) => names.slice(0, names.length - index).join("/"));
  return [
    ...[...groups].sort().map((name) => `group:${name}`),
    ...sites.map((path) => `site:${path}`),
    FLEET,
  ];
}
