import { Millis, SitePath } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";
import { EVERYWHERE } from "../../people/grants.ts";
import { closed } from "./common.ts";

/** A site with everything below it, `*` for the fleet. */
export const PolicySite = Type.Union([Type.Literal(EVERYWHERE), SitePath]);

export const ApprovalPolicyResource = Type.Object(
  { site: PolicySite, approvals: Type.Integer(), changedBy: Type.String(), changedAt: Millis },
  closed,
);
export type ApprovalPolicyResource = Static<typeof ApprovalPolicyResource>;

export const ApprovalPolicyList = Type.Object({ policies: Type.Array(ApprovalPolicyResource) }, closed);
export type ApprovalPolicyList = Static<typeof ApprovalPolicyList>;

export const NewApprovalPolicy = Type.Object(
  { site: PolicySite, approvals: Type.Integer({ minimum: 1, maximum: 5 }) },
  closed,
);
