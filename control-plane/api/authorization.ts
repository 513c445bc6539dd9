import rateLimit from "@fastify/rate-limit";
import { isMusterError, MusterError } from "@muster/shared/errors";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Operator, Operators } from "./operators.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Who asks; null on the public routes. */
    operator: Operator | null;
  }
  interface FastifyContextConfig {
    /** True where no operator token is needed; every other route is closed without one. */
    public?: boolean;
  }
}

const bearerOf = (request: FastifyRequest): string | undefined =>
  /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];

/**
 * Closes every route that does not say `config: { public: true }`, addresses without a route included, to
 * callers without a valid token. Only refused tokens count against an address: a busy script is never shut out.
 */
export async function requireOperator(
  app: FastifyInstance,
  operators: Operators,
  failuresPerMinute: number,
): Promise<void> {
  await app.register(rateLimit, { global: false });
  const countFailure = app.createRateLimit({ max: failuresPerMinute, timeWindow: 60_000 });
  app.decorateRequest("operator", null);
  app.addHook("onRequest", async (request, reply) => {
    if (request.routeOptions.config.public) return;
    try {
      request.operator = await operators.authenticate(bearerOf(request));
    } catch (error) {
      if (!isMusterError(error, "request.unauthorized")) throw error;
      const limit = await countFailure(request);
      if (limit.isAllowed || !limit.isExceeded) throw error;
      reply.header("retry-after", String(limit.ttlInSeconds));
      throw new MusterError("request.rate-limited", "Too many wrong tokens from this address.");
    }
  });
}
