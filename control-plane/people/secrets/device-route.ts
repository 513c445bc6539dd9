import { DEVICE_API } from "@muster/shared/protocol/device-api";
import type { FastifyInstance } from "fastify";
import type { SecretStore } from "./secret-store.ts";

/** The secrets of the device that asks, sealed to it: 200 with an ETag, or 304. */
export function secretsRoute(app: FastifyInstance, secrets: Pick<SecretStore, "deliver">): void {
  app.get(DEVICE_API.secrets, async (request, reply) => {
    reply.header("cache-control", "no-store");
    const known = request.headers["if-none-match"];
    const delivery = await secrets.deliver(request.device, known);
    if (!delivery) return reply.header("etag", known).code(304).send();
    return reply.header("etag", delivery.etag).type("application/json").send(delivery.document);
  });
}
