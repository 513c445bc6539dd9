import { DEVICE_API } from "@muster/shared/protocol/device-api";
import type { FastifyInstance } from "fastify";
import type { Stores } from "../storage/database.ts";

/** The slow way to the directive, for a device without MQTT: 200 with an ETag, 304, or 204 when there is none. */
export function desiredRoute(
  app: FastifyInstance,
  stores: Pick<Stores, "control">,
  onAsked: (device: string) => void,
): void {
  app.get(DEVICE_API.desired, async (request, reply) => {
    onAsked(request.device);
    const row = await stores.control
      .selectFrom("devices")
      .select(["generation", "directive", "status"])
      .where("id", "=", request.device)
      .executeTakeFirst();
    reply.header("cache-control", "no-cache");
    // What was decided before a quarantine and not taken up yet is new to the device too.
    if (!row?.directive || row.status === "quarantined") return reply.code(204).send();
    const etag = `"${row.generation}"`;
    reply.header("etag", etag);
    if (request.headers["if-none-match"] === etag) return reply.code(304).send();
    return reply.type("application/json").send(row.directive);
  });
}
