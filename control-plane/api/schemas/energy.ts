import { powerPolicyMembers } from "@muster/shared/protocol/power-policy";
import { Count, Millis, Name, SitePath } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";
import { REPORT_KINDS } from "../../energy/report.ts";
import { closed, MaybeMillis, oneOf, orNull } from "./common.ts";

const MaybeNumber = orNull(Type.Number());

/** Where a policy holds: a group, a site with all below it, or the whole fleet where neither is named. */
const place = { site: Type.Optional(SitePath), group: Type.Optional(Name) };
export const PolicyQuery = Type.Object(place, closed);
export const PolicyInput = Type.Object({ ...place, ...powerPolicyMembers }, closed);

export const PolicyResource = Type.Object(
  {
    /** `fleet`, `site:PATH` or `group:NAME`. */
    scope: Type.String(),
    ...powerPolicyMembers,
    changedBy: Type.String(),
    changedAt: Millis,
  },
  closed,
);
export type PolicyResource = Static<typeof PolicyResource>;

export const PolicyList = Type.Object({ policies: Type.Array(PolicyResource) }, closed);
export type PolicyList = Static<typeof PolicyList>;

export const DevicePolicyResource = Type.Object(
  {
    device: Type.String(),
    /** Which policy wins for it; null where none was decided. */
    scope: orNull(Type.String()),
    timeZone: Type.String(),
    ...powerPolicyMembers,
    /** The newest one that it was given; null where it was given none. */
    generation: orNull(Count),
    issuedAt: MaybeMillis,
  },
  closed,
);
export type DevicePolicyResource = Static<typeof DevicePolicyResource>;

export const FactorResource = Type.Object(
  {
    id: Type.String(),
    /** This site and all below it; null for the fleet. */
    site: orNull(Type.String()),
    from: Millis,
    costPerKwh: MaybeNumber,
    currency: orNull(Type.String()),
    /** Grams of CO2 equivalents. */
    gramsPerKwh: MaybeNumber,
    createdBy: Type.String(),
    createdAt: Millis,
  },
  closed,
);
export type FactorResource = Static<typeof FactorResource>;

export const FactorList = Type.Object({ factors: Type.Array(FactorResource) }, closed);
export type FactorList = Static<typeof FactorList>;

const usage = {
  inferences: Count,
  energyWh: MaybeNumber,
  /** Inferences whose energy is known. */
  knownPercent: MaybeNumber,
  /** Part of the energy that is modelled from processor time. */
  modelledPercent: MaybeNumber,
  cpuSeconds: Type.Number(),
  cost: MaybeNumber,
  gramsCo2: MaybeNumber,
  per1000: Type.Object(
    { wh: MaybeNumber, cpuSeconds: MaybeNumber, cost: MaybeNumber, gramsCo2: MaybeNumber },
    closed,
  ),
};

export const EnergyReportQuery = Type.Object(
  {
    by: Type.Optional(oneOf(...REPORT_KINDS)),
    /** Milliseconds since the epoch; the last 24 hours unless given. */
    from: Type.Optional(Millis),
    to: Type.Optional(Millis),
  },
  closed,
);

export const EnergyReportResource = Type.Object(
  {
    by: oneOf(...REPORT_KINDS),
    from: Millis,
    to: Millis,
    currency: orNull(Type.String()),
    /** The most energy first; a site includes those below it. */
    rows: Type.Array(Type.Object({ name: Type.String(), ...usage }, closed)),
    total: Type.Object(usage, closed),
  },
  closed,
);
export type EnergyReportResource = Static<typeof EnergyReportResource>;
