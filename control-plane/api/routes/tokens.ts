import { Type } from "typebox";
import type { JoinTokens } from "../../enrollment/join-tokens.ts";
import type { ApiApp } from "../app.ts";
import { closed, PathText } from "../schemas/common.ts";
import { CreatedToken, NewToken, TokenList, TokenResource } from "../schemas/tokens.ts";

const DEFAULT_USES = 1;
const DEFAULT_SECONDS = 86_400;

export function tokenRoutes(app: ApiApp, tokens: JoinTokens): void {
  app.get("/tokens", { schema: { response: { 200: TokenList } } }, async () => ({
    tokens: await tokens.list(),
  }));

  app.post(
    "/tokens",
    { schema: { body: NewToken, response: { 201: CreatedToken } } },
    async (request, reply) => {
      const { site, labels, uses = DEFAULT_USES, expiresIn = DEFAULT_SECONDS } = request.body;
      const created = await tokens.create({
        site,
        ...(labels ? { labels } : {}),
        uses,
        expiresAt: Date.now() + expiresIn * 1000,
      });
      return reply.code(201).send(created);
    },
  );

  app.delete(
    "/tokens/:id",
    { schema: { params: Type.Object({ id: PathText }, closed), response: { 200: TokenResource } } },
    async (request) => await tokens.revoke(request.params.id),
  );
}
