import type { ApiApp } from "../app.ts";
import { DriftDetails, DriftList, DriftQuery, DriftShowQuery } from "../schemas/drift.ts";
import type { OperatorServices } from "../services.ts";

export function driftRoutes(app: ApiApp, { drift, fleet }: Pick<OperatorServices, "drift" | "fleet">): void {
  const withDevice = <Q extends { device?: string }>(query: Q): Q =>
    query.device === undefined ? query : { ...query, device: fleet.resolve(query.device) };

  app.get(
    "/drift",
    {
      config: { access: "fleet.see" },
      schema: {
        summary: "Every model variant that was watched, the largest drift first",
        querystring: DriftQuery,
        response: { 200: DriftList },
      },
    },
    async (request) => ({
      models: await drift.list(withDevice(request.query), request.reach),
      refused: drift.refused,
    }),
  );

  app.get(
    "/drift/model",
    {
      config: { access: "fleet.see" },
      schema: {
        summary: "One model of a release, with every feature, its reference and what was seen",
        querystring: DriftShowQuery,
        response: { 200: DriftDetails },
      },
    },
    async (request) => ({ variants: await drift.show(withDevice(request.query), request.reach) }),
  );
}
