import { DEVICE_API } from "@muster/shared/protocol/device-api";
import type { FastifyInstance } from "fastify";
import type { Stores } from "../storage/database.ts";

/** The slow way to the power policy, for a device without MQTT: 200 with an ETag, 304, or 204 when there is none. */
export function policyRoute(app: FastifyInstance, stores: Pick<Stores, "control">): void {
  app.get(DEVICE_API.policy, async (request, reply) => {
    const row = await stores.control
      .selectFrom("device_policies")
      .select(["generation", "document"])
      .where("device", "=", request.device)
      .executeTakeFirst();
    reply.header("cache-control", "no-cache");
    if (!row) return reply.code(204).send();
    const etag = `"${row.generation}"`;
    reply.header("etag", etag);
    if (request.headers["if-none-match"] === etag) return reply.code(304).send();
    return reply.type("application/json").send(row.document);
  });
}
