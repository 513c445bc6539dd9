import { DEVICE_API } from "@muster/shared/protocol/device-api";
import { KeyRequest } from "@muster/shared/protocol/key-lease";
import { validate } from "@muster/shared/protocol/validate";
import type { FastifyInstance } from "fastify";
import type { KeyLeases } from "./key-leases.ts";

/** Leases of the keys of sealed models, sealed to the device that asks. */
export function keysRoute(app: FastifyInstance, leases: Pick<KeyLeases, "lease">): void {
  app.post(DEVICE_API.keys, async (request, reply) => {
    const { keys } = validate(KeyRequest, request.body, "request.invalid");
    reply.header("cache-control", "no-store");
    return { leases: await leases.lease(request.device, keys) };
  });
}
