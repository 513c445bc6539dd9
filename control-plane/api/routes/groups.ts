import { Name } from "@muster/shared/protocol/primitives";
import { Type } from "typebox";
import type { ApiApp } from "../app.ts";
import { closed } from "../schemas/common.ts";
import { DeviceList, DevicePage } from "../schemas/fleet.ts";
import { GroupChange, GroupList, GroupResource, NewGroup } from "../schemas/targeting.ts";
import type { OperatorServices } from "../services.ts";

const params = Type.Object({ name: Name }, closed);
const Removal = Type.Object({ force: Type.Optional(Type.Boolean()) }, closed);

export function groupRoutes(
  app: ApiApp,
  { fleet, groups }: Pick<OperatorServices, "fleet" | "groups">,
): void {
  app.get(
    "/groups",
    { config: { access: "fleet.see" }, schema: { response: { 200: GroupList } } },
    async (request) => ({
      groups: await groups.list(request.reach),
    }),
  );

  app.post(
    "/groups",
    { config: { access: "groups.change" }, schema: { body: NewGroup, response: { 201: GroupResource } } },
    async (request, reply) => {
      const { name, selector, description } = request.body;
      return reply.code(201).send(await groups.create(name, selector, description));
    },
  );

  app.get(
    "/groups/:name",
    { config: { access: "fleet.see" }, schema: { params, response: { 200: GroupResource } } },
    async (request) => groups.get(request.params.name, request.reach),
  );

  app.put(
    "/groups/:name",
    {
      config: { access: "groups.change" },
      schema: { params, body: GroupChange, response: { 200: GroupResource } },
    },
    async (request) => await groups.change(request.params.name, request.body),
  );

  app.delete(
    "/groups/:name",
    {
      config: { access: "groups.change" },
      schema: { params, querystring: Removal, response: { 204: Type.Null() } },
    },
    async (request, reply) => {
      await groups.remove(request.params.name, request.query.force ?? false);
      return reply.code(204).send(null);
    },
  );

  app.get(
    "/groups/:name/devices",
    {
      config: { access: "fleet.see" },
      schema: { params, querystring: DevicePage, response: { 200: DeviceList } },
    },
    async (request) => {
      const { name } = request.params;
      const { items, next } = fleet.list(
        { ...request.query, selector: groups.get(name, request.reach).selector },
        request.reach,
      );
      return { devices: items, next };
    },
  );
}
