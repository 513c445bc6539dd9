import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import type { ApprovalPolicies } from "../../people/approval-policies.ts";
import { EVERYWHERE } from "../../people/grants.ts";
import { requireSite } from "../../people/places.ts";
import { actorOf } from "../actor.ts";
import type { ApiApp } from "../app.ts";
import {
  ApprovalPolicyList,
  ApprovalPolicyResource,
  NewApprovalPolicy,
  PolicySite,
} from "../schemas/approvals.ts";
import { closed } from "../schemas/common.ts";

export function approvalRoutes(app: ApiApp, approvals: ApprovalPolicies): void {
  const requireOwn = (request: FastifyRequest, site: string): void =>
    requireSite(request, site === EVERYWHERE ? null : site);

  app.get(
    "/approval-policies",
    {
      config: { access: "rollouts.see" },
      schema: {
        summary: "How many others have to approve rollouts, by site",
        response: { 200: ApprovalPolicyList },
      },
    },
    async ({ reach }) => ({
      policies: (await approvals.list()).filter(({ site }) => site === EVERYWHERE || reach.touches(site)),
    }),
  );

  app.put(
    "/approval-policies",
    {
      config: { access: "approvals.rule" },
      schema: { body: NewApprovalPolicy, response: { 200: ApprovalPolicyResource } },
    },
    async (request) => {
      const { site, approvals: needed } = request.body;
      requireOwn(request, site);
      return await approvals.set(site, needed, actorOf(request).name);
    },
  );

  app.delete(
    "/approval-policies",
    {
      config: { access: "approvals.rule" },
      schema: {
        querystring: Type.Object({ site: PolicySite }, closed),
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      requireOwn(request, request.query.site);
      await approvals.remove(request.query.site);
      return reply.code(204).send(null);
    },
  );
}
