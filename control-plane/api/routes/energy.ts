import { Type } from "typebox";
import type { Energy } from "../../energy/energy.ts";
import { NewFactor } from "../../energy/factors.ts";
import { actorOf } from "../actor.ts";
import type { ApiApp } from "../app.ts";
import { closed, PathText } from "../schemas/common.ts";
import {
  DevicePolicyResource,
  EnergyReportQuery,
  EnergyReportResource,
  FactorList,
  FactorResource,
  PolicyInput,
  PolicyList,
  PolicyQuery,
  PolicyResource,
} from "../schemas/energy.ts";
import type { OperatorServices } from "../services.ts";

const DAY_MS = 86_400_000;
const Done = Type.Object({}, closed);

export function energyRoutes(
  app: ApiApp,
  { energy, fleet, groups, info }: { energy: Energy } & Pick<OperatorServices, "fleet" | "groups" | "info">,
): void {
  app.get(
    "/power/policies",
    {
      schema: { summary: "Decisions about work that can wait, by place", response: { 200: PolicyList } },
    },
    async () => ({ policies: await energy.policies.list() }),
  );

  app.put(
    "/power/policies",
    {
      schema: {
        summary: "Decide for a group, a site tree or the fleet when best-effort work runs",
        body: PolicyInput,
        response: { 200: PolicyResource },
      },
    },
    async (request) => {
      const { windows, bestEffortOutside, ...scope } = request.body;
      // A slip of the pen would decide for nobody, in silence.
      if (scope.group !== undefined) groups.selectorOf(scope.group);
      return await energy.policies.set(scope, { windows, bestEffortOutside }, actorOf(request).name);
    },
  );

  app.delete(
    "/power/policies",
    {
      schema: {
        summary: "Take a decision back: what holds above, or nothing, holds there again",
        querystring: PolicyQuery,
        response: { 200: Done },
      },
    },
    async (request) => {
      await energy.policies.remove(request.query);
      return {};
    },
  );

  app.get(
    "/power/policies/devices/:device",
    {
      schema: {
        summary: "What holds for a device, and by which decision",
        params: Type.Object({ device: PathText }, closed),
        response: { 200: DevicePolicyResource },
      },
    },
    async (request) => await energy.policyOf(fleet.resolve(request.params.device)),
  );

  app.get(
    "/power/factors",
    { schema: { summary: "What energy costs and emits, by place and time", response: { 200: FactorList } } },
    async () => ({ factors: await energy.factors.list() }),
  );

  app.post(
    "/power/factors",
    {
      schema: {
        summary: "Tell what a kilowatt hour costs or emits at a place from a moment on",
        body: NewFactor,
        response: { 201: FactorResource },
      },
    },
    async (request, reply) =>
      reply.code(201).send(await energy.factors.add(request.body, actorOf(request).name)),
  );

  app.delete(
    "/power/factors/:id",
    { schema: { params: Type.Object({ id: PathText }, closed), response: { 200: Done } } },
    async (request) => {
      await energy.factors.remove(request.params.id);
      return {};
    },
  );

  app.get(
    "/power/report",
    {
      schema: {
        summary: "Energy, cost and carbon of inference by site, release or hardware class, in whole hours",
        querystring: EnergyReportQuery,
        response: { 200: EnergyReportResource },
      },
    },
    async (request) => {
      const to = request.query.to ?? info.now();
      return await energy.reports.report(request.query.by ?? "site", request.query.from ?? to - DAY_MS, to);
    },
  );
}
