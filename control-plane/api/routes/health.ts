import { SitePath } from "@muster/shared/protocol/primitives";
import { Type } from "typebox";
import { within } from "../../people/places.ts";
import type { ApiApp } from "../app.ts";
import { closed, PathText } from "../schemas/common.ts";
import {
  DeviceHealthResource,
  HealthQuery,
  HealthResource,
  SeriesQuery,
  SeriesResource,
  SiteHealthList,
} from "../schemas/health.ts";
import type { OperatorServices } from "../services.ts";

const DAY_MS = 86_400_000;

/** A site path has slashes: it is the rest of the address. TypeBox cannot convert a member of this name. */
const siteParams = Type.Unsafe<{ "*": string }>({
  type: "object",
  properties: { "*": SitePath },
  required: ["*"],
});
const deviceParams = Type.Object({ device: PathText }, closed);

export function healthRoutes(
  app: ApiApp,
  { health, fleet, info }: Pick<OperatorServices, "health" | "fleet" | "info">,
): void {
  app.get(
    "/health",
    {
      config: { access: "fleet.see" },
      schema: { querystring: HealthQuery, response: { 200: HealthResource } },
    },
    async (request) => await health.report(request.query, request.reach),
  );

  app.get(
    "/health/sites",
    { config: { access: "fleet.see" }, schema: { response: { 200: SiteHealthList } } },
    async ({ reach }) => ({
      sites: within(await health.sites(), reach, ({ site }) => site),
    }),
  );

  app.get(
    "/health/sites/*",
    { config: { access: "fleet.see" }, schema: { params: siteParams, response: { 200: HealthResource } } },
    async (request) => await health.report({ site: request.params["*"] }, request.reach),
  );

  app.get(
    "/health/devices/:device",
    {
      config: { access: "fleet.see" },
      schema: { params: deviceParams, response: { 200: DeviceHealthResource } },
    },
    async (request) => health.device(fleet.resolve(request.params.device)),
  );

  app.get(
    "/metrics/series",
    {
      config: { access: "fleet.see" },
      schema: { querystring: SeriesQuery, response: { 200: SeriesResource } },
    },
    async (request) => {
      const { scope, step = 300 } = request.query;
      const to = request.query.to ?? info.now();
      const from = request.query.from ?? to - DAY_MS;
      return {
        scope,
        from,
        to,
        step,
        points: await health.series(scope, from, to, step * 1000, request.reach),
      };
    },
  );
}
