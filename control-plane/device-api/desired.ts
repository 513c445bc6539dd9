import { DEVICE_API } from "@muster/shared/protocol/device-api";
import type { FastifyInstance } from "fastify";
import type { DirectiveDesk } from "../rollouts/directive-desk.ts";

/** The slow way to the directive, for a device without MQTT: 200 with an ETag, 304, or 204 when there is none for it. */
export function desiredRoute(
  app: FastifyInstance,
  desk: Pick<DirectiveDesk, "of">,
  onAsked: (device: string) => void,
): void {
  app.get(DEVICE_API.desired, async (request, reply) => {
    onAsked(request.device);
    const handed = desk.of(request.device);
    reply.header("cache-control", "no-cache");
    if (!handed) return reply.code(204).send();
    const etag = `"${handed.generation}"`;
    reply.header("etag", etag);
    if (request.headers["if-none-match"] === etag) return reply.code(304).send();
    return reply.type("application/json").send(handed.text);
  });
}
