import type { Fleet } from "../../fleet/fleet.ts";
import type { ApiApp } from "../app.ts";
import { FleetResource } from "../schemas/fleet.ts";

export function fleetRoutes(app: ApiApp, fleet: Fleet): void {
  app.get("/fleet", { schema: { response: { 200: FleetResource } } }, async () => await fleet.summary());
}
