import { Type } from "typebox";
import { type Freezes, NewFreeze } from "../../rollouts/freezes.ts";
import { actorOf } from "../actor.ts";
import type { ApiApp } from "../app.ts";
import { closed, PathText } from "../schemas/common.ts";
import { FreezeList, FreezeResource } from "../schemas/freezes.ts";

const DEFAULT_PAST = 100;
const ListQuery = Type.Object({ past: Type.Optional(Type.Integer({ minimum: 0, maximum: 1000 })) }, closed);

export function freezeRoutes(app: ApiApp, freezes: Freezes): void {
  app.get(
    "/freezes",
    {
      schema: {
        summary: "Freezes that hold or will, by their beginning, and up to `past` that are over",
        querystring: ListQuery,
        response: { 200: FreezeList },
      },
    },
    async (request) => ({ freezes: await freezes.list(request.query.past ?? DEFAULT_PAST) }),
  );

  app.post(
    "/freezes",
    {
      schema: {
        summary: "Tell no device anything new for a time, everywhere or in a site tree",
        body: NewFreeze,
        response: { 201: FreezeResource },
      },
    },
    async (request, reply) => reply.code(201).send(await freezes.create(request.body, actorOf(request).name)),
  );

  app.delete(
    "/freezes/:id",
    {
      schema: {
        summary: "End a freeze now; it stays in the list as past",
        params: Type.Object({ id: PathText }, closed),
        response: { 200: FreezeResource },
      },
    },
    async (request) => await freezes.end(request.params.id, actorOf(request).name),
  );
}
