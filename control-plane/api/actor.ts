import { MusterError } from "@muster/shared/errors";
import type { FastifyRequest } from "fastify";
import type { Actor } from "../rollouts/model.ts";

/** Who asks, as events name them. @throws MusterError `request.unauthorized` */
export function actorOf({ operator }: FastifyRequest): Actor {
  if (!operator) throw new MusterError("request.unauthorized");
  return { id: operator.id, name: operator.name };
}
