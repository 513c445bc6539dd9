import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import type { Energy } from "../../energy/energy.ts";
import { NewFactor } from "../../energy/factors.ts";
import type { PolicyScope } from "../../energy/scope.ts";
import { requireSite } from "../../people/places.ts";
import type { Reach } from "../../people/reach.ts";
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

/** A group may have devices anywhere: deciding for it is deciding for the fleet. */
function requireScope(request: FastifyRequest, { site, group }: PolicyScope): void {
  requireSite(request, group === undefined ? site : null);
}

/** Those of sites above hold below, those of groups may. */
const holdsFor = (scope: string, reach: Reach): boolean =>
  !scope.startsWith("site:") || reach.touches(scope.slice("site:".length));

export function energyRoutes(
  app: ApiApp,
  { energy, fleet, groups, info }: { energy: Energy } & Pick<OperatorServices, "fleet" | "groups" | "info">,
): void {
  app.get(
    "/power/policies",
    {
      config: { access: "fleet.see" },
      schema: { summary: "Decisions about work that can wait, by place", response: { 200: PolicyList } },
    },
    async ({ reach }) => ({
      policies: (await energy.policies.list()).filter(({ scope }) => holdsFor(scope, reach)),
    }),
  );

  app.put(
    "/power/policies",
    {
      config: { access: "power.change" },
      schema: {
        summary: "Decide for a group, a site tree or the fleet when best-effort work runs",
        body: PolicyInput,
        response: { 200: PolicyResource },
      },
    },
    async (request) => {
      const { windows, bestEffortOutside, ...scope } = request.body;
      requireScope(request, scope);
      // A slip of the pen would decide for nobody, in silence.
      if (scope.group !== undefined) groups.selectorOf(scope.group);
      return await energy.policies.set(scope, { windows, bestEffortOutside }, actorOf(request).name);
    },
  );

  app.delete(
    "/power/policies",
    {
      config: { access: "power.change" },
      schema: {
        summary: "Take a decision back: what holds above, or nothing, holds there again",
        querystring: PolicyQuery,
        response: { 200: Done },
      },
    },
    async (request) => {
      requireScope(request, request.query);
      await energy.policies.remove(request.query);
      return {};
    },
  );

  app.get(
    "/power/policies/devices/:device",
    {
      config: { access: "fleet.see" },
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
    {
      config: { access: "fleet.see" },
      schema: { summary: "What energy costs and emits, by place and time", response: { 200: FactorList } },
    },
    async ({ reach }) => ({
      factors: (await energy.factors.list()).filter(({ site }) => site === null || reach.touches(site)),
    }),
  );

  app.post(
    "/power/factors",
    {
      config: { access: "power.change" },
      schema: {
        summary: "Tell what a kilowatt hour costs or emits at a place from a moment on",
        body: NewFactor,
        response: { 201: FactorResource },
      },
    },
    async (request, reply) => {
      requireSite(request, request.body.site);
      return reply.code(201).send(await energy.factors.add(request.body, actorOf(request).name));
    },
  );

  app.delete(
    "/power/factors/:id",
    {
      config: { access: "power.change" },
      schema: { params: Type.Object({ id: PathText }, closed), response: { 200: Done } },
    },
    async (request) => {
      const { id } = request.params;
      if (!request.reach.isEverywhere)
        requireSite(request, (await energy.factors.list()).find((factor) => factor.id === id)?.site);
      await energy.factors.remove(id);
      return {};
    },
  );

  app.get(
    "/power/report",
    {
      config: { access: "fleet.see" },
      schema: {
        summary: "Energy, cost and carbon of inference by site, release or hardware class, in whole hours",
        querystring: EnergyReportQuery,
        response: { 200: EnergyReportResource },
      },
    },
    async (request) => {
      const to = request.query.to ?? info.now();
      return await energy.reports.report(
        request.query.by ?? "site",
        request.query.from ?? to - DAY_MS,
        to,
        request.reach,
      );
    },
  );
}
