import { MusterError } from "@muster/shared/errors";
import { type Grant, grantsText, isRole } from "../people/grants.ts";
import { ROLES } from "../people/roles.ts";

export const GRANT_OPTION = [
  "--grant <role@site>",
  "role at a site and below, `*` for the fleet; may be repeated",
] as const;

/** Adds one `role@site` to those collected so far. @throws MusterError `settings.invalid` */
export function collectGrant(text: string, grants: readonly Grant[] = []): Grant[] {
  const [, role = "", site = "*"] = /^([^@]*)(?:@(.+))?$/.exec(text) ?? [];
  if (!isRole(role))
    throw new MusterError(
      "settings.invalid",
      `${text} is no grant: write ROLE@SITE with one of ${ROLES.join(", ")}, e.g. operator@eu/de or viewer@*.`,
    );
  return [...grants, { role, site }];
}

/** As people read it; null for a token that narrows nothing. */
export const grantsColumn = (grants: readonly Grant[] | null): string =>
  grants === null ? "as its operator" : grantsText(grants);
