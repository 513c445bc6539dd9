import { MusterError } from "@muster/shared/errors";
import { SitePath } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";

/** Where a policy holds: a hardware class, a site with all below it, or the whole fleet where neither is named. */
export const PolicyScope = Type.Object(
  { site: Type.Optional(SitePath), class: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })) },
  { additionalProperties: false },
);
export type PolicyScope = Static<typeof PolicyScope>;

const FLEET = "fleet";

/** One text for a scope. @throws MusterError `request.invalid` where both are named */
export function scopeText({ site, class: hardwareClass }: PolicyScope): string {
  if (site !== undefined && hardwareClass !== undefined)
    throw new MusterError("request.invalid", "Name a site or a class, not both.");
  return site !== undefined ? `site:${site}` : hardwareClass !== undefined ? `class:${hardwareClass}` : FLEET;
}

/** The scopes that a device is in, the widest first: fleet, sites from the top on, its class. */
export function scopesOf(site: string, hardwareClass: string): string[] {
  const names = site.split("/");
  const sites = names.map((_, index) => `site:${names.slice(0, index + 1).join("/")}`);
  return [FLEET, ...sites, `class:${hardwareClass}`];
}
