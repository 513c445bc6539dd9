import { MusterError } from "@muster/shared/errors";
import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import { allowsAll, both, grantsText } from "../../people/grants.ts";
import type { NewOperatorToken as WantedToken } from "../../people/operator-tokens.ts";
import type { Operators } from "../../people/operators.ts";
import type { Principal } from "../../people/principal.ts";
import type { ApiApp } from "../app.ts";
import { closed, PathText } from "../schemas/common.ts";
import {
  CreatedOperator,
  CreatedOperatorToken,
  NewOperator,
  NewOperatorToken,
  OperatorChange,
  OperatorList,
  OperatorResource,
  OperatorTokenList,
  OperatorTokenResource,
} from "../schemas/operators.ts";

const byId = Type.Object({ id: PathText }, closed);
const byToken = Type.Object({ id: PathText, token: PathText }, closed);
const ofOwn = Type.Object({ token: PathText }, closed);
const DAY_MS = 86_400_000;
/** Longest life of a token that a person of an identity provider makes: his rights may end there unnoticed. */
const LONGEST_OF_PERSON_MS = 30 * DAY_MS;

export function operatorRoutes(app: ApiApp, operators: Operators, now: () => number): void {
  app.get(
    "/operators",
    { config: { access: "operators.manage" }, schema: { response: { 200: OperatorList } } },
    async () => ({ operators: await operators.list() }),
  );

  app.post(
    "/operators",
    {
      config: { access: "operators.manage" },
      schema: { body: NewOperator, response: { 201: CreatedOperator } },
    },
    async (request, reply) =>
      reply.code(201).send(await operators.create(request.body.name, request.body.grants)),
  );

  app.patch(
    "/operators/:id",
    {
      config: { access: "operators.manage" },
      schema: {
        summary: "Give an operator other roles; his tokens follow at once",
        params: byId,
        body: OperatorChange,
        response: { 200: OperatorResource },
      },
    },
    async (request) =>
      await operators.change((await operators.find(request.params.id)).id, request.body.grants),
  );

  app.delete(
    "/operators/:id",
    {
      config: { access: "operators.manage" },
      schema: { params: byId, response: { 200: OperatorResource } },
    },
    async (request) => await operators.revoke((await operators.find(request.params.id)).id),
  );

  tokensOfOthers(app, operators, now);
  ownTokens(app, operators, now);
}

function tokensOfOthers(app: ApiApp, operators: Operators, now: () => number): void {
  app.get(
    "/operators/:id/tokens",
    {
      config: { access: "operators.manage" },
      schema: { params: byId, response: { 200: OperatorTokenList } },
    },
    async (request) => ({
      tokens: await operators.tokens.list((await operators.find(request.params.id)).id),
    }),
  );

  app.post(
    "/operators/:id/tokens",
    {
      config: { access: "operators.manage" },
      schema: { params: byId, body: NewOperatorToken, response: { 201: CreatedOperatorToken } },
    },
    async (request, reply) => {
      const { id } = await operators.find(request.params.id);
      return reply.code(201).send(await operators.tokens.create(id, wantedOf(request.body, now())));
    },
  );

  app.delete(
    "/operators/:id/tokens/:token",
    {
      config: { access: "operators.manage" },
      schema: { params: byToken, response: { 200: OperatorTokenResource } },
    },
    async (request) =>
      await operators.revokeToken((await operators.find(request.params.id)).id, request.params.token),
  );
}

/** Everybody manages his own tokens, and none of them does more than the one that he asks with. */
function ownTokens(app: ApiApp, operators: Operators, now: () => number): void {
  app.get(
    "/my/tokens",
    { config: { access: "signed-in" }, schema: { response: { 200: OperatorTokenList } } },
    async (request) => ({ tokens: await operators.tokens.list(ownOf(request).id) }),
  );

  app.post(
    "/my/tokens",
    {
      config: { access: "signed-in" },
      schema: {
        summary: "Create a token of one's own, which does no more than the one that is used",
        body: NewOperatorToken,
        response: { 201: CreatedOperatorToken },
      },
    },
    async (request, reply) => {
      const own = ownOf(request);
      const wanted = noMoreThan(own, wantedOf(request.body, now()), now());
      return reply.code(201).send(await operators.tokens.create(own.id, wanted));
    },
  );

  app.delete(
    "/my/tokens/:token",
    {
      config: { access: "signed-in" },
      schema: { params: ofOwn, response: { 200: OperatorTokenResource } },
    },
    async (request) => {
      const own = ownOf(request);
      await requireNoLess(operators, own, request.params.token);
      return await operators.revokeToken(own.id, request.params.token);
    },
  );
}

function ownOf({ operator }: FastifyRequest): Principal {
  if (!operator) throw new MusterError("request.unauthorized");
  return operator;
}

function wantedOf(
  { name, grants, expiresIn }: { name: string; grants?: WantedToken["grants"]; expiresIn?: number },
  now: number,
): WantedToken {
  return {
    name,
    ...(grants ? { grants } : {}),
    expiresAt: expiresIn === undefined ? null : now + expiresIn * 1000,
  };
}

/**
 * A token that leaked and does little must not shut its operator out; it may end itself.
 * @throws MusterError `access.denied`
 */
async function requireNoLess(operators: Operators, own: Principal, token: string): Promise<void> {
  if (token === own.credential) return;
  const known = (await operators.tokens.list(own.id)).find(({ id }) => id === token);
  if (!known) return;
  const { grants } = await operators.find(own.id);
  if (!allowsAll(own.grants, known.grants === null ? grants : both(grants, known.grants)))
    throw new MusterError(
      "access.denied",
      `The token ${known.name} allows more than the one that you ask with: end it with one that allows as much.`,
    );
}

/** A token that leaked, narrow or about to end, must not make one that is not. */
function noMoreThan(own: Principal, wanted: WantedToken, now: number): WantedToken {
  const grants = wanted.grants ? both(own.grants, wanted.grants) : own.grants;
  if (grants.length === 0)
    throw new MusterError("access.denied", `You have ${grantsText(own.grants)} to give on, nothing else.`);
  const ends = [wanted.expiresAt, own.by === "token" ? own.expiresAt : now + LONGEST_OF_PERSON_MS];
  const expiresAt = Math.min(...ends.map((end) => end ?? Number.POSITIVE_INFINITY));
  return {
    name: wanted.name,
    ...(wanted.grants || own.by === "token" ? { grants } : {}),
    expiresAt: Number.isFinite(expiresAt) ? expiresAt : null,
  };
}
