import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import type { JoinTokens } from "../../enrollment/join-tokens.ts";
import { requireSite, within } from "../../people/places.ts";
import type { ApiApp } from "../app.ts";
import { closed, PathText } from "../schemas/common.ts";
import { CreatedToken, NewToken, TokenList, TokenResource } from "../schemas/tokens.ts";

const DEFAULT_USES = 1;
const DEFAULT_SECONDS = 86_400;

export function tokenRoutes(app: ApiApp, tokens: JoinTokens, now: () => number): void {
  const requireOwn = async (request: FastifyRequest, id: string): Promise<void> => {
    if (request.reach.isEverywhere) return;
    requireSite(request, (await tokens.list()).find((token) => token.id === id)?.site);
  };

  app.get(
    "/tokens",
    { config: { access: "tokens.manage" }, schema: { response: { 200: TokenList } } },
    async (request) => ({
      tokens: within(await tokens.list(), request.reach, ({ site }) => site),
    }),
  );

  app.post(
    "/tokens",
    { config: { access: "tokens.manage" }, schema: { body: NewToken, response: { 201: CreatedToken } } },
    async (request, reply) => {
      requireSite(request, request.body.site);
      const { site, labels, minAssurance, uses = DEFAULT_USES, expiresIn = DEFAULT_SECONDS } = request.body;
      const created = await tokens.create({
        site,
        ...(labels ? { labels } : {}),
        ...(minAssurance ? { minAssurance } : {}),
        uses,
        expiresAt: now() + expiresIn * 1000,
      });
      return reply.code(201).send(created);
    },
  );

  app.delete(
    "/tokens/:id",
    {
      config: { access: "tokens.manage" },
      schema: { params: Type.Object({ id: PathText }, closed), response: { 200: TokenResource } },
    },
    async (request) => {
      await requireOwn(request, request.params.id);
      return await tokens.revoke(request.params.id);
    },
  );
}
