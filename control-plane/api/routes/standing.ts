import { Type } from "typebox";
import type { ApiApp } from "../app.ts";
import { closed, PathText } from "../schemas/common.ts";
import { DeviceResource, NewReplacement, Revocation } from "../schemas/fleet.ts";
import { CreatedToken } from "../schemas/tokens.ts";
import type { OperatorServices } from "../services.ts";

const params = Type.Object({ device: PathText }, closed);
const DEFAULT_SECONDS = 86_400;

/** Quarantine and release, replacement and decommissioning of devices. */
export function standingRoutes(
  app: ApiApp,
  { fleet, standing, info }: Pick<OperatorServices, "fleet" | "standing" | "info">,
): void {
  app.post(
    "/devices/:device/quarantine",
    {
      config: { access: "devices.quarantine" },
      schema: { params, body: Revocation, response: { 200: DeviceResource } },
    },
    async (request) => {
      const id = fleet.resolve(request.params.device);
      await standing.quarantine(id, request.body.reason);
      return await fleet.get(id);
    },
  );

  app.post(
    "/devices/:device/release",
    { config: { access: "devices.release" }, schema: { params, response: { 200: DeviceResource } } },
    async (request) => {
      const id = fleet.resolve(request.params.device);
      await standing.release(id);
      return await fleet.get(id);
    },
  );

  app.post(
    "/devices/:device/decommission",
    {
      config: { access: "devices.remove" },
      schema: { params, body: Revocation, response: { 200: DeviceResource } },
    },
    async (request) => {
      const id = fleet.resolve(request.params.device);
      await standing.decommission(id, request.body.reason);
      return await fleet.get(id);
    },
  );

  app.post(
    "/devices/:device/replacement",
    {
      config: { access: "devices.remove" },
      schema: { params, body: NewReplacement, response: { 201: CreatedToken } },
    },
    async (request, reply) => {
      const { expiresIn = DEFAULT_SECONDS, minAssurance } = request.body;
      const created = await standing.replace(fleet.resolve(request.params.device), {
        expiresAt: info.now() + expiresIn * 1000,
        ...(minAssurance ? { minAssurance } : {}),
      });
      return reply.code(201).send(created);
    },
  );
}
