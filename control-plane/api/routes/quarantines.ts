import { Type } from "typebox";
import type { Quarantines } from "../../rollouts/quarantines.ts";
import { actorOf } from "../actor.ts";
import type { ApiApp } from "../app.ts";
import { closed, PathText } from "../schemas/common.ts";
import { QuarantineEnd, QuarantineList, QuarantineResource } from "../schemas/quarantines.ts";

export function quarantineRoutes(app: ApiApp, quarantines: Quarantines): void {
  app.get(
    "/quarantines",
    {
      config: { access: "rollouts.see" },
      schema: {
        summary: "Releases that no rollout takes to a hardware class, newest first",
        response: { 200: QuarantineList },
      },
    },
    async () => ({ quarantines: await quarantines.list() }),
  );

  app.delete(
    "/quarantines/:release/:hardwareClass",
    {
      config: { access: "quarantines.lift" },
      schema: {
        summary: "Lift a quarantine; the release is a digest or NAME@VERSION",
        params: Type.Object({ release: PathText, hardwareClass: PathText }, closed),
        body: QuarantineEnd,
        response: { 200: QuarantineResource },
      },
    },
    async (request) => {
      const { release, hardwareClass } = request.params;
      return await quarantines.lift(release, hardwareClass, actorOf(request), request.body.reason);
    },
  );
}
