import { Name } from "@muster/shared/protocol/primitives";
import { Type } from "typebox";
import type { Attestation } from "../../attestation/attestation.ts";
import { DEFAULT_POLICY } from "../../attestation/policy/policy.ts";
import { requireSite } from "../../people/places.ts";
import { actorOf } from "../actor.ts";
import type { ApiApp } from "../app.ts";
import {
  AttestationHistory,
  AttestationList,
  AttestationPage,
  AttestationPolicyInput,
  AttestationPolicyList,
  AttestationPolicyQuery,
  AttestationPolicyResource,
  AttestationQuery,
  AttestationResource,
  Clearing,
  LearnQuery,
  NewReference,
  ReferenceCandidate,
  ReferenceDetail,
  ReferenceList,
  ReferenceResource,
} from "../schemas/attestation.ts";
import { closed, PathText } from "../schemas/common.ts";
import type { OperatorServices } from "../services.ts";

const device = Type.Object({ device: PathText }, closed);
const named = Type.Object({ name: Name }, closed);
const Done = Type.Object({}, closed);
const DEFAULT_ENTRIES = 50;
/** A learned set of a box with a long boot log, and its signature. */
const MOST_BODY_BYTES = 6 * 1024 * 1024;

/** Verdicts, what they rest on, and what operators decide about them. */
export function attestationRoutes(
  app: ApiApp,
  { attestation, fleet, info }: { attestation: Attestation } & Pick<OperatorServices, "fleet" | "info">,
): void {
  verdictRoutes(app, { attestation, fleet, info });
  policyRoutes(app, attestation);
  referenceRoutes(app, attestation);
}

function verdictRoutes(
  app: ApiApp,
  { attestation, fleet, info }: { attestation: Attestation } & Pick<OperatorServices, "fleet" | "info">,
): void {
  const { reports } = attestation;
  app.get(
    "/attestation",
    {
      config: { access: "attestation.see" },
      schema: {
        summary: "Verdicts of all devices, those that do not pass first",
        querystring: AttestationQuery,
        response: { 200: AttestationList },
      },
    },
    async ({ query, reach }) => reports.list(query, (site) => reach.covers(site)),
  );

  app.get(
    "/attestation/devices/:device",
    {
      config: { access: "attestation.see" },
      schema: {
        summary: "The verdict on one device with everything that was found",
        params: device,
        response: { 200: AttestationResource },
      },
    },
    async ({ params }) => reports.show(fleet.resolve(params.device)),
  );

  app.get(
    "/attestation/devices/:device/history",
    {
      config: { access: "attestation.see" },
      schema: {
        summary: "How the verdict changed, and evidence that was refused; newest first",
        params: device,
        querystring: AttestationPage,
        response: { 200: AttestationHistory },
      },
    },
    async ({ params, query }) => ({
      entries: reports.history(
        fleet.resolve(params.device),
        query.limit ?? DEFAULT_ENTRIES,
        query.before ?? info.now() + 1,
      ),
    }),
  );

  app.post(
    "/attestation/devices/:device/refresh",
    {
      config: { access: "devices.change" },
      schema: { summary: "Ask a device for evidence now", params: device, response: { 202: Done } },
    },
    async ({ params }, reply) => {
      attestation.refresh(fleet.resolve(params.device));
      return reply.code(202).send({});
    },
  );

  app.post(
    "/attestation/devices/:device/clear",
    {
      config: { access: "devices.release" },
      schema: {
        summary: "Forget a fork of the chain of a device whose disk was put back by you",
        params: device,
        body: Clearing,
        response: { 200: AttestationResource },
      },
    },
    async (request) => {
      const id = fleet.resolve(request.params.device);
      await attestation.clear(id, request.body.reason, actorOf(request).name);
      return reports.show(id);
    },
  );

  app.get(
    "/attestation/devices/:device/candidate",
    {
      config: { access: "attestation.see" },
      schema: {
        summary: "A reference set made of the newest evidence of a golden device, for review",
        params: device,
        querystring: LearnQuery,
        response: { 200: ReferenceCandidate },
      },
    },
    async ({ params, query }) => reports.learn(fleet.resolve(params.device), query.name),
  );
}

function policyRoutes(app: ApiApp, attestation: Attestation): void {
  const { policies } = attestation;
  app.get(
    "/attestation/policies",
    {
      config: { access: "attestation.see" },
      schema: { summary: "Attestation policies by place", response: { 200: AttestationPolicyList } },
    },
    async ({ reach }) => ({
      policies: policies
        .list()
        .filter(({ scope }) => !scope.startsWith("site:") || reach.touches(scope.slice("site:".length))),
      defaults: DEFAULT_POLICY,
    }),
  );

  app.put(
    "/attestation/policies",
    {
      config: { access: "attestation.manage" },
      schema: {
        summary: "Decide for a class, a site tree or the fleet; what is not named stays",
        body: AttestationPolicyInput,
        response: { 200: AttestationPolicyResource },
      },
    },
    async (request) => {
      const { scope, content } = request.body;
      requireSite(request, scope.site);
      const set = await policies.set(scope, content, actorOf(request).name);
      await attestation.reappraise();
      return set;
    },
  );

  app.delete(
    "/attestation/policies",
    {
      config: { access: "attestation.manage" },
      schema: {
        summary: "Take a decision back: what holds above holds there again",
        querystring: AttestationPolicyQuery,
        response: { 200: Done },
      },
    },
    async (request) => {
      requireSite(request, request.query.site);
      await policies.remove(request.query);
      await attestation.reappraise();
      return {};
    },
  );
}

function referenceRoutes(app: ApiApp, attestation: Attestation): void {
  const { references } = attestation;
  app.get(
    "/references",
    {
      config: { access: "attestation.see" },
      schema: { summary: "Reference sets in force", response: { 200: ReferenceList } },
    },
    async () => ({ references: references.list() }),
  );

  app.get(
    "/references/:name",
    {
      config: { access: "attestation.see" },
      schema: { summary: "One signed reference set", params: named, response: { 200: ReferenceDetail } },
    },
    async ({ params }) => {
      const { info, document } = references.get(params.name);
      return { ...info, document };
    },
  );

  app.post(
    "/references",
    {
      config: { access: "attestation.manage" },
      bodyLimit: MOST_BODY_BYTES,
      schema: {
        summary: "Take a reference set into force that an offline key signed",
        body: NewReference,
        response: { 201: ReferenceResource },
      },
    },
    async (request, reply) => {
      const imported = await attestation.importReference(request.body.document, actorOf(request).name);
      return reply.code(201).send(imported);
    },
  );

  app.delete(
    "/references/:name",
    {
      config: { access: "attestation.manage" },
      schema: {
        summary: "Take a reference set out of force",
        params: named,
        response: { 200: Done },
      },
    },
    async ({ params }) => {
      await attestation.removeReference(params.name);
      return {};
    },
  );
}
