import type { Fleet } from "../../fleet/fleet.ts";
import type { ApiApp } from "../app.ts";
import { FleetResource, SiteList } from "../schemas/fleet.ts";

export function fleetRoutes(app: ApiApp, fleet: Fleet): void {
  app.get("/fleet", { schema: { response: { 200: FleetResource } } }, async () => await fleet.summary());

  app.get("/sites", { schema: { response: { 200: SiteList } } }, async () => ({
    sites: await fleet.sites(),
  }));
}
