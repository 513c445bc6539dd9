import { Type } from "typebox";
import { requireSite } from "../../people/places.ts";
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
      config: { access: "rollouts.see" },
      schema: {
        summary: "Freezes that hold or will, by their beginning, and up to `past` that are over",
        querystring: ListQuery,
        response: { 200: FreezeList },
      },
    },
    async (request) => {
      const all = await freezes.list(request.query.past ?? DEFAULT_PAST);
      // One of a site above, or of the fleet, holds their devices too.
      return { freezes: all.filter(({ site }) => site === null || request.reach.touches(site)) };
    },
  );

  app.post(
    "/freezes",
    {
      config: { access: "rollouts.run" },
      schema: {
        summary: "Tell no device anything new for a time, everywhere or in a site tree",
        body: NewFreeze,
        response: { 201: FreezeResource },
      },
    },
    async (request, reply) => {
      requireSite(request, request.body.site);
      return reply.code(201).send(await freezes.create(request.body, actorOf(request).name));
    },
  );

  app.delete(
    "/freezes/:id",
    {
      config: { access: "rollouts.approve" },
      schema: {
        summary: "End a freeze now; it stays in the list as past",
        params: Type.Object({ id: PathText }, closed),
        response: { 200: FreezeResource },
      },
    },
    async (request) => {
      const { id } = request.params;
      if (!request.reach.isEverywhere)
        requireSite(request, (await freezes.list(0)).find((freeze) => freeze.id === id)?.site);
      return await freezes.end(id, actorOf(request).name);
    },
  );
}
