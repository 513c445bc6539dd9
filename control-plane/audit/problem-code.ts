import type { FastifyReply } from "fastify";

/** Code of the problem document that is about to be sent; undefined where it is none. */
export function problemCodeOf(reply: FastifyReply, payload: unknown): string | undefined {
  const type = String(reply.getHeader("content-type") ?? "");
  if (typeof payload !== "string" || !type.startsWith("application/problem+json")) return undefined;
  return (JSON.parse(payload) as { code?: string }).code;
}
