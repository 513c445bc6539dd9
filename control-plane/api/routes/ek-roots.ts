import { Type } from "typebox";
import type { EkRoots } from "../../enrollment/ek-roots.ts";
import type { ApiApp } from "../app.ts";
import { closed } from "../schemas/common.ts";
import { EkRootList, EkRootResource, NewEkRoot } from "../schemas/ek-roots.ts";

/** Eight digits say which one is meant; fewer would be a slip. */
const params = Type.Object({ id: Type.String({ pattern: "^[0-9a-f]{8,64}$" }) }, closed);

/** Authorities of TPM vendors. */
export function ekRootRoutes(app: ApiApp, ekRoots: EkRoots): void {
  app.get(
    "/trust/ek-roots",
    { config: { access: "releases.see" }, schema: { response: { 200: EkRootList } } },
    async () => ({ ekRoots: await ekRoots.list() }),
  );

  app.post(
    "/trust/ek-roots",
    { config: { access: "trust.manage" }, schema: { body: NewEkRoot, response: { 201: EkRootResource } } },
    async (request, reply) => reply.code(201).send(await ekRoots.add(request.body.certificate)),
  );

  app.delete(
    "/trust/ek-roots/:id",
    { config: { access: "trust.manage" }, schema: { params, response: { 200: EkRootResource } } },
    async (request) => await ekRoots.remove(request.params.id),
  );
}
