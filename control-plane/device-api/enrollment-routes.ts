import type { TLSSocket } from "node:tls";
import rateLimit from "@fastify/rate-limit";
import { MusterError } from "@muster/shared/errors";
import { ActivateRequest, DEVICE_API, EnrollRequest, RenewRequest } from "@muster/shared/protocol/device-api";
import { validate } from "@muster/shared/protocol/validate";
import { ENROLL_EXPORTER } from "@muster/shared/trust/activation";
import type { FastifyInstance } from "fastify";
import type { Enrollment } from "../enrollment/enrollment.ts";

export interface EnrollmentRoutes {
  enrollment: Pick<Enrollment, "enroll" | "activate">;
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
  app.post(DEVICE_API.activate, { config: limit }, async (request) => {
    const body = validate(ActivateRequest, request.body, "request.invalid");
    const exporter = exporterOf(request.raw.socket as TLSSocket);
    return await routes.enrollment.activate(body, exporter, routes.mqttUrl(request.hostname));
  });
}

/**
 * Keying material of this connection, which whoever sits in between two connections cannot have. Before TLS 1.3 two
 * connections can be made to share it (RFC 7627).
 * @throws MusterError `enrollment.proof-invalid`
 */
function exporterOf(socket: TLSSocket): Buffer {
  if (socket.getProtocol() !== "TLSv1.3")
    throw new MusterError("enrollment.proof-invalid", "A proof of activation has to come over TLS 1.3.");
  const { bytes, label } = ENROLL_EXPORTER;
  return socket.exportKeyingMaterial(bytes, label, Buffer.alloc(0));
}

export function renewRoute(app: FastifyInstance, enrollment: Pick<Enrollment, "renew">): void {
  app.post(DEVICE_API.renew, async (request) => {
    const { csr } = validate(RenewRequest, request.body, "request.invalid");
    return await enrollment.renew(request.device, csr);
  });
}
