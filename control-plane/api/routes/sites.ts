import { SitePath } from "@muster/shared/protocol/primitives";
import { Type } from "typebox";
import { changeSite, clearSite, replaceSite } from "../../fleet/site-settings.ts";
import { within } from "../../people/places.ts";
import type { ApiApp } from "../app.ts";
import { NewSiteSettings, SiteChange, SiteList, SiteResource } from "../schemas/targeting.ts";
import type { OperatorServices } from "../services.ts";

/** A site path has slashes: it is the rest of the address. TypeBox cannot convert a member of this name. */
const params = Type.Unsafe<{ "*": string }>({
  type: "object",
  properties: { "*": SitePath },
  required: ["*"],
});

export function siteRoutes(
  app: ApiApp,
  { fleet, control }: Pick<OperatorServices, "fleet" | "control">,
): void {
  app.get(
    "/sites",
    { config: { access: "fleet.see" }, schema: { response: { 200: SiteList } } },
    async ({ reach }) => ({ sites: within(fleet.sites(), reach, ({ site }) => site) }),
  );

  app.get(
    "/sites/*",
    { config: { access: "fleet.see" }, schema: { params, response: { 200: SiteResource } } },
    async (request) => fleet.site(request.params["*"]),
  );

  app.put(
    "/sites/*",
    {
      config: { access: "devices.change" },
      schema: { params, body: NewSiteSettings, response: { 200: SiteResource } },
    },
    async (request) => {
      const site = request.params["*"];
      await replaceSite(control, site, request.body);
      return fleet.siteOrNew(site);
    },
  );

  app.patch(
    "/sites/*",
    {
      config: { access: "devices.change" },
      schema: { params, body: SiteChange, response: { 200: SiteResource } },
    },
    async (request) => {
      const site = request.params["*"];
      await changeSite(control, site, request.body);
      return fleet.siteOrNew(site);
    },
  );

  app.delete(
    "/sites/*",
    { config: { access: "devices.change" }, schema: { params, response: { 204: Type.Null() } } },
    async (request, reply) => {
      const { site } = fleet.site(request.params["*"]);
      await clearSite(control, site);
      return reply.code(204).send(null);
    },
  );
}
