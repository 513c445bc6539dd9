import { Count } from "@muster/shared/protocol/primitives";
import { Type } from "typebox";
import { RolloutPlanInput } from "../../rollouts/plan.ts";
import type { RolloutService } from "../../rollouts/service.ts";
import type { ApiApp } from "../app.ts";
import { closed, orNull, PathText } from "../schemas/common.ts";
import {
  RolloutDeviceList,
  RolloutEventList,
  RolloutList,
  RolloutResource,
  RolloutResumption,
  RolloutStop,
  SelectionResource,
} from "../schemas/rollouts.ts";

const params = Type.Object({ id: PathText }, closed);
const CreateQuery = Type.Object({ dryRun: Type.Optional(Type.Boolean()) }, closed);
const EventsQuery = Type.Object({ after: Type.Optional(Count) }, closed);

export function rolloutRoutes(app: ApiApp, rollouts: RolloutService): void {
  app.get("/rollouts", { schema: { response: { 200: RolloutList } } }, async () => ({
    rollouts: await rollouts.list(),
  }));

  app.post(
    "/rollouts",
    {
      schema: {
        summary: "Create a rollout as a draft; with dryRun only say what the plan selects",
        querystring: CreateQuery,
        body: RolloutPlanInput,
        response: { 200: SelectionResource, 201: RolloutResource },
      },
    },
    async (request, reply) =>
      request.query.dryRun
        ? reply.code(200).send(await rollouts.dryRun(request.body))
        : reply.code(201).send(await rollouts.create(request.body)),
  );

  app.get(
    "/rollouts/:id",
    { schema: { params, response: { 200: RolloutResource } } },
    async (request) => await rollouts.get(request.params.id),
  );

  app.get(
    "/rollouts/:id/devices",
    { schema: { params, response: { 200: RolloutDeviceList } } },
    async (request) => ({ devices: await rollouts.devices(request.params.id) }),
  );

  app.get(
    "/rollouts/:id/events",
    { schema: { params, querystring: EventsQuery, response: { 200: RolloutEventList } } },
    async (request) => ({ events: await rollouts.events(request.params.id, request.query.after ?? 0) }),
  );

  app.post(
    "/rollouts/:id/start",
    { schema: { params, response: { 200: RolloutResource } } },
    async (request) => await rollouts.start(request.params.id),
  );

  app.post(
    "/rollouts/:id/resume",
    { schema: { params, body: orNull(RolloutResumption), response: { 200: RolloutResource } } },
    async (request) => await rollouts.resume(request.params.id, request.body ?? {}),
  );

  for (const verb of ["pause", "abort", "revert"] as const)
    app.post(
      `/rollouts/:id/${verb}`,
      { schema: { params, body: orNull(RolloutStop), response: { 200: RolloutResource } } },
      async (request) => await rollouts[verb](request.params.id, request.body?.reason),
    );
}
