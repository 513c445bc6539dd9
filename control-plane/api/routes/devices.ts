import { Millis } from "@muster/shared/protocol/primitives";
import { Type } from "typebox";
import { changeDevice } from "../../fleet/device-changes.ts";
import { confined } from "../../people/confine.ts";
import type { ApiApp } from "../app.ts";
import { closed, PathText } from "../schemas/common.ts";
import {
  BulkChange,
  BulkQuery,
  DeviceChange,
  DeviceFilter,
  DeviceList,
  DeviceResource,
  Relabelling,
  Revocation,
  Timeline,
} from "../schemas/fleet.ts";
import type { OperatorServices } from "../services.ts";

const params = Type.Object({ device: PathText }, closed);
const TimelinePage = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
    /** Only what happened before this time. */
    before: Type.Optional(Millis),
  },
  closed,
);

export function deviceRoutes(
  app: ApiApp,
  { fleet, standing, control }: Pick<OperatorServices, "fleet" | "standing" | "control">,
): void {
  app.get(
    "/devices",
    { config: { access: "fleet.see" }, schema: { querystring: DeviceFilter, response: { 200: DeviceList } } },
    async (request) => {
      const { items, next } = fleet.list(request.query, request.reach);
      return { devices: items, next };
    },
  );

  app.patch(
    "/devices",
    {
      config: { access: "devices.change" },
      schema: { querystring: BulkQuery, body: BulkChange, response: { 200: Relabelling } },
    },
    async (request) => {
      const { selector, dryRun = false } = request.query;
      return await fleet.relabel(confined(selector, request.reach), request.body.labels, dryRun);
    },
  );

  app.get(
    "/devices/:device",
    { config: { access: "fleet.see" }, schema: { params, response: { 200: DeviceResource } } },
    async (request) => await fleet.get(request.params.device),
  );

  app.patch(
    "/devices/:device",
    {
      config: { access: "devices.change" },
      schema: { params, body: DeviceChange, response: { 200: DeviceResource } },
    },
    async (request) => {
      const id = fleet.resolve(request.params.device);
      await changeDevice(control, id, request.body);
      return await fleet.get(id);
    },
  );

  app.get(
    "/devices/:device/timeline",
    {
      config: { access: "fleet.see" },
      schema: { params, querystring: TimelinePage, response: { 200: Timeline } },
    },
    async (request) => ({
      entries: await fleet.timeline(request.params.device, request.query),
    }),
  );

  app.post(
    "/devices/:device/revoke",
    {
      config: { access: "devices.remove" },
      schema: { params, body: Revocation, response: { 200: DeviceResource } },
    },
    async (request) => {
      const id = fleet.resolve(request.params.device);
      await standing.revoke(id, request.body.reason);
      return await fleet.get(id);
    },
  );
}
