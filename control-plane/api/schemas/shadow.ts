import { Millis } from "@muster/shared/protocol/primitives";
import { ShadowReport } from "@muster/shared/protocol/shadow-report";
import { type Static, Type } from "typebox";
import { closed, orNull } from "./common.ts";

export const ShadowReportList = Type.Object(
  {
    reports: Type.Array(
      Type.Object(
        {
          device: Type.String(),
          name: Type.String(),
          site: Type.String(),
          hardwareClass: Type.String(),
          report: ShadowReport,
          receivedAt: Millis,
        },
        closed,
      ),
    ),
    next: orNull(Type.String()),
  },
  closed,
);
export type ShadowReportList = Static<typeof ShadowReportList>;
