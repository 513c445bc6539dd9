import rateLimit from "@fastify/rate-limit";
import { MusterError } from "@muster/shared/errors";
import { DEVICE_API, EnrollRequest, RenewRequest } from "@muster/shared/protocol/device-api";
import { validate } from "@muster/shared/protocol/validate";
import type { FastifyInstance } from "fastify";
import type { Enrollment } from "../enrollment/enrollment.ts";

export interface EnrollmentRoutes {
  enrollment: Pick<Enrollment, "enroll" | "renew">;
  /** The CA certificate, PEM. */
  ca: string;
  enrollmentsPerMinute: number;
  /** Where a device that reached this control plane as `hostname` connects to. */
  mqttUrl(hostname: string): string;
}

/** Addresses for devices that have no certificate yet. */
export async function openRoutes(app: FastifyInstance, routes: EnrollmentRoutes): Promise<void> {
  await app.register(rateLimit, {
    global: false,
    errorResponseBuilder: (_request, { after }) =>
      new MusterError(
        "request.rate-limited",
        `Too many enrollments from this address; try again in ${after}.`,
      ),
  });
  app.get(DEVICE_API.ca, async (_request, reply) => {
    return reply.type("application/x-pem-file").send(routes.ca);
  });
  const limit = { rateLimit: { max: routes.enrollmentsPerMinute, timeWindow: 60_000 } };
  app.post(DEVICE_API.enroll, { config: limit }, async (request) => {
    const body = validate(EnrollRequest, request.body, "request.invalid");
    return await routes.enrollment.enroll(body, routes.mqttUrl(request.hostname));
  });
}

export function renewRoute(app: FastifyInstance, enrollment: Pick<Enrollment, "renew">): void {
  app.post(DEVICE_API.renew, async (request) => {
    const { csr } = validate(RenewRequest, request.body, "request.invalid");
    return await enrollment.renew(request.device, csr);
  });
}
