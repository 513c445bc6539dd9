import { Count } from "@muster/shared/protocol/primitives";
import { Type } from "typebox";
import { confined } from "../../people/confine.ts";
import type { Reach } from "../../people/reach.ts";
import { RolloutPlanInput } from "../../rollouts/plan.ts";
import type { RolloutService } from "../../rollouts/service.ts";
import { actorOf } from "../actor.ts";
import type { ApiApp } from "../app.ts";
import { closed, orNull, PathText } from "../schemas/common.ts";
import {
  DeviceRolloutList,
  RolloutAction,
  RolloutDenial,
  RolloutDeviceList,
  RolloutEventList,
  RolloutList,
  RolloutResource,
  RolloutSkip,
} from "../schemas/rollouts.ts";
import { SelectionResource } from "../schemas/selections.ts";

const params = Type.Object({ id: PathText }, closed);
const CreateQuery = Type.Object({ dryRun: Type.Optional(Type.Boolean()) }, closed);
const EventsQuery = Type.Object({ after: Type.Optional(Count) }, closed);
const page = (maximum: number) =>
  Type.Object(
    { limit: Type.Optional(Type.Integer({ minimum: 1, maximum })), cursor: Type.Optional(PathText) },
    closed,
  );

/** `resolve` answers the id of a device that is named in one of the ways an operator may. */
export function rolloutRoutes(
  app: ApiApp,
  rollouts: RolloutService,
  resolve: (device: string) => string,
): void {
  app.get(
    "/rollouts",
    {
      config: { access: "rollouts.see" },
      schema: { querystring: page(200), response: { 200: RolloutList } },
    },
    async (request) => await rollouts.list(request.query, request.reach),
  );

  app.post(
    "/rollouts",
    {
      config: { access: "rollouts.run" },
      schema: {
        summary: "Create a rollout as a draft; with dryRun only say what the plan selects",
        querystring: CreateQuery,
        body: RolloutPlanInput,
        response: { 200: SelectionResource, 201: RolloutResource },
      },
    },
    async (request, reply) => {
      // It says so itself which sites it keeps to: late joiners and the start later on keep to them too.
      const plan = { ...request.body, selector: confined(request.body.selector ?? "", request.reach) };
      return request.query.dryRun
        ? reply.code(200).send(await rollouts.dryRun(plan))
        : reply.code(201).send(await rollouts.create(plan, actorOf(request)));
    },
  );

  app.get(
    "/rollouts/:id",
    { config: { access: "rollouts.see" }, schema: { params, response: { 200: RolloutResource } } },
    async (request) => await rollouts.get(request.params.id, request.reach),
  );

  app.get(
    "/rollouts/:id/devices",
    {
      config: { access: "rollouts.see" },
      schema: { params, querystring: page(5_000), response: { 200: RolloutDeviceList } },
    },
    async (request) => await rollouts.devices(request.params.id, request.query, request.reach),
  );

  app.get(
    "/rollouts/:id/events",
    {
      config: { access: "rollouts.see" },
      schema: { params, querystring: EventsQuery, response: { 200: RolloutEventList } },
    },
    async (request) => ({
      events: await rollouts.events(request.params.id, request.query.after ?? 0, request.reach),
    }),
  );

  app.get(
    "/devices/:device/rollouts",
    {
      config: { access: "rollouts.see" },
      schema: {
        summary: "Rollouts that have a device, newest first, and what holds it in each",
        params: Type.Object({ device: PathText }, closed),
        response: { 200: DeviceRolloutList },
      },
    },
    async (request) => ({ rollouts: await rollouts.ofDevice(resolve(request.params.device)) }),
  );

  actionRoutes(app, rollouts);
}

/** Each is safe to repeat; what it does exactly stands with the methods of `RolloutService`. */
function actionRoutes(app: ApiApp, rollouts: RolloutService): void {
  const response = { 200: RolloutResource };
  /** Whoever acts on a rollout has to have the right wherever it may go. */
  const own = async ({ params, reach }: { params: { id: string }; reach: Reach }): Promise<string> => {
    await rollouts.requireOwn(params.id, reach);
    return params.id;
  };

  for (const verb of ["start", "submit"])
    app.post(
      `/rollouts/:id/${verb}`,
      { config: { access: "rollouts.run" }, schema: { params, response } },
      async (request) => await rollouts.start(await own(request), actorOf(request)),
    );

  app.post(
    "/rollouts/:id/approve",
    { config: { access: "rollouts.approve" }, schema: { params, response } },
    async (request) => await rollouts.approve(await own(request), actorOf(request)),
  );

  app.post(
    "/rollouts/:id/deny",
    { config: { access: "rollouts.approve" }, schema: { params, body: RolloutDenial, response } },
    async (request) => await rollouts.deny(await own(request), actorOf(request), request.body.reason),
  );

  app.post(
    "/rollouts/:id/skip-wave",
    { config: { access: "rollouts.run" }, schema: { params, body: RolloutSkip, response } },
    async (request) => {
      const { wave, reason } = request.body;
      return await rollouts.skipWave(await own(request), actorOf(request), wave, reason);
    },
  );

  app.post(
    "/rollouts/:id/admit-late",
    { config: { access: "rollouts.run" }, schema: { params, response } },
    async (request) => await rollouts.admitLate(await own(request), actorOf(request)),
  );

  for (const verb of ["pause", "resume", "abort", "revert"] as const)
    app.post(
      `/rollouts/:id/${verb}`,
      { config: { access: "rollouts.run" }, schema: { params, body: orNull(RolloutAction), response } },
      async (request) => await rollouts[verb](await own(request), actorOf(request), request.body?.reason),
    );
}
