import { Type } from "typebox";
import type { ApiApp } from "../app.ts";
import { closed, PathText } from "../schemas/common.ts";
import { ShadowReportList } from "../schemas/shadow.ts";
import type { OperatorServices } from "../services.ts";

export function shadowRoutes(
  app: ApiApp,
  { shadow, rollouts }: Pick<OperatorServices, "shadow" | "rollouts">,
): void {
  app.get(
    "/rollouts/:id/shadow",
    {
      config: { access: "rollouts.see" },
      schema: {
        summary:
          "What devices of a rollout found out about the release beside their live one, as they signed it",
        params: Type.Object({ id: PathText }, closed),
        querystring: Type.Object(
          {
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })),
            cursor: Type.Optional(PathText),
          },
          closed,
        ),
        response: { 200: ShadowReportList },
      },
    },
    async ({ params: { id }, query: { cursor, limit }, reach }) => {
      await rollouts.requireSeen(id, reach);
      return await shadow.ofRollout(id, cursor, limit, reach);
    },
  );
}
