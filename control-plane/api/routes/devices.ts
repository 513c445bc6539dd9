import { Millis } from "@muster/shared/protocol/primitives";
import { Type } from "typebox";
import { changeDevice } from "../../fleet/device-changes.ts";
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
  { fleet, enrollment, control }: Pick<OperatorServices, "fleet" | "enrollment" | "control">,
): void {
  app.get(
    "/devices",
    { schema: { querystring: DeviceFilter, response: { 200: DeviceList } } },
    async (request) => {
      const { items, next } = fleet.list(request.query);
      return { devices: items, next };
    },
  );

  app.patch(
    "/devices",
    { schema: { querystring: BulkQuery, body: BulkChange, response: { 200: Relabelling } } },
    async (request) => {
      const { selector, dryRun = false } = request.query;
      return await fleet.relabel(selector, request.body.labels, dryRun);
    },
  );

  app.get(
    "/devices/:device",
    { schema: { params, response: { 200: DeviceResource } } },
    async (request) => await fleet.get(request.params.device),
  );

  app.patch(
    "/devices/:device",
    { schema: { params, body: DeviceChange, response: { 200: DeviceResource } } },
    async (request) => {
      const id = fleet.resolve(request.params.device);
      await changeDevice(control, id, request.body);
      return await fleet.get(id);
    },
  );

  app.get(
    "/devices/:device/timeline",
    { schema: { params, querystring: TimelinePage, response: { 200: Timeline } } },
    async (request) => ({
      entries: await fleet.timeline(request.params.device, request.query),
    }),
  );

  app.post(
    "/devices/:device/revoke",
    { schema: { params, body: Revocation, response: { 200: DeviceResource } } },
    async (request) => {
      const id = fleet.resolve(request.params.device);
      await enrollment.revoke(id, request.body.reason);
      return await fleet.get(id);
    },
  );
}
