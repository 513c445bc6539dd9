import { Name, Version } from "@muster/shared/protocol/primitives";
import { Type } from "typebox";
import type { ReleaseRegistry } from "../../releases/registry.ts";
import type { ApiApp } from "../app.ts";
import { closed } from "../schemas/common.ts";
import { NewRelease, ReleaseList, ReleaseResource } from "../schemas/releases.ts";

export function releaseRoutes(app: ApiApp, releases: ReleaseRegistry): void {
  app.get(
    "/releases",
    { config: { access: "releases.see" }, schema: { response: { 200: ReleaseList } } },
    async () => ({
      releases: await releases.list(),
    }),
  );

  app.post(
    "/releases",
    { config: { access: "releases.add" }, schema: { body: NewRelease, response: { 201: ReleaseResource } } },
    async (request, reply) => reply.code(201).send(await releases.create(request.body)),
  );

  app.get(
    "/releases/:name/:version",
    {
      config: { access: "releases.see" },
      schema: {
        params: Type.Object({ name: Name, version: Version }, closed),
        response: { 200: ReleaseResource },
      },
    },
    async (request) => await releases.get(request.params.name, request.params.version),
  );
}
