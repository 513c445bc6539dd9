import type { TrustRepository } from "../../trust/repository.ts";
import type { ApiApp } from "../app.ts";
import { NewRoot, TrustResource } from "../schemas/trust.ts";

export function trustRoutes(app: ApiApp, trust: TrustRepository): void {
  app.get(
    "/trust",
    { config: { access: "releases.see" }, schema: { response: { 200: TrustResource } } },
    async () => await trust.view(),
  );

  app.post(
    "/trust/roots",
    { config: { access: "trust.manage" }, schema: { body: NewRoot, response: { 201: TrustResource } } },
    async (request, reply) => reply.code(201).send(await trust.addRoot(request.body)),
  );
}
