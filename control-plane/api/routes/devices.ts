import { Millis } from "@muster/shared/protocol/primitives";
import { Type } from "typebox";
import { changeDevice } from "../../fleet/device-changes.ts";
import type { ApiApp } from "../app.ts";
import { closed, PathText } from "../schemas/common.ts";
import {
  DeviceChange,
  DeviceFilter,
  DeviceList,
  DeviceResource,
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
      const { items, next } = await fleet.list(request.query);
      return { devices: items, next };
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
      const id = await fleet.resolve(request.params.device);
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
      const id = await fleet.resolve(request.params.device);
      await enrollment.revoke(id, request.body.reason);
      return await fleet.get(id);
    },
  );
}
