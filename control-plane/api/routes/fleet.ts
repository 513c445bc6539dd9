import type { Fleet } from "../../fleet/fleet.ts";
import type { ApiApp } from "../app.ts";
import { FleetResource } from "../schemas/fleet.ts";

export function fleetRoutes(app: ApiApp, fleet: Fleet): void {
  app.get(
    "/fleet",
    { config: { access: "fleet.see" }, schema: { response: { 200: FleetResource } } },
    async (request) => await fleet.summary(request.reach),
  );
}
