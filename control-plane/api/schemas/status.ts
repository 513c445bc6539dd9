import { Millis, Name } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";
import { closed, MaybeMillis, orNull } from "./common.ts";

/** What the control plane is, where devices reach it, and how its trust stands. Holds no secret. */
export const StatusResource = Type.Object(
  {
    version: Type.String(),
    startedAt: Millis,
    now: Millis,
    operator: Type.Object({ id: Type.String(), name: Name }, closed),
    /** What devices are told: the HTTPS and the MQTTS listener. */
    deviceUrl: Type.String(),
    mqttUrl: Type.String(),
    trust: Type.Object(
      {
        initialized: Type.Boolean(),
        rootVersion: orNull(Type.Integer()),
        rootExpiresAt: MaybeMillis,
        targetsVersion: orNull(Type.Integer()),
        targetsExpiresAt: MaybeMillis,
      },
      closed,
    ),
  },
  closed,
);
export type StatusResource = Static<typeof StatusResource>;
