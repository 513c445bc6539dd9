import type { ApiApp } from "../app.ts";
import { StatusResource } from "../schemas/status.ts";
import type { OperatorServices } from "../services.ts";

export function statusRoutes(app: ApiApp, { info, trust }: Pick<OperatorServices, "info" | "trust">): void {
  app.get(
    "/status",
    { config: { access: "signed-in" }, schema: { response: { 200: StatusResource } } },
    async (request) => {
      const { root, versions, expires } = await trust.view();
      return {
        version: info.version,
        startedAt: info.startedAt,
        now: info.now(),
        operator: { id: request.operator?.id ?? "", name: request.operator?.name ?? "" },
        ...info.addresses(),
        trust: {
          initialized: root !== null,
          rootVersion: versions.root || null,
          rootExpiresAt: expires.root,
          targetsVersion: versions.targets || null,
          targetsExpiresAt: expires.targets,
        },
      };
    },
  );
}
