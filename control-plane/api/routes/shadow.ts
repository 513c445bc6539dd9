import { Type } from "typebox";
import type { ShadowReports } from "../../shadow/reports.ts";
import type { ApiApp } from "../app.ts";
import { closed, PathText } from "../schemas/common.ts";
import { ShadowReportList } from "../schemas/shadow.ts";

export function shadowRoutes(app: ApiApp, shadow: ShadowReports): void {
  app.get(
    "/rollouts/:id/shadow",
    {
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
    async (request) => await shadow.ofRollout(request.params.id, request.query.cursor, request.query.limit),
  );
}
