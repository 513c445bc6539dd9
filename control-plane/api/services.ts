import type { Kysely } from "kysely";
import type { Alerts } from "../alerts/alerts.ts";
import type { Attestation } from "../attestation/attestation.ts";
import type { AuditLog } from "../audit/audit-log.ts";
import type { DriftReports } from "../drift/drift-reports.ts";
import type { Energy } from "../energy/energy.ts";
import type { DeviceStanding } from "../enrollment/device-standing.ts";
import type { EkRoots } from "../enrollment/ek-roots.ts";
import type { JoinTokens } from "../enrollment/join-tokens.ts";
import type { Examples } from "../examples/examples.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { Groups } from "../fleet/groups.ts";
import type { HealthReports } from "../health/reports.ts";
import type { ModelKeys } from "../keys/model-keys.ts";
import type { ApprovalPolicies } from "../people/approval-policies.ts";
import type { SignIn } from "../people/oidc/sign-in.ts";
import type { Operators } from "../people/operators.ts";
import type { SecretStore } from "../people/secrets/secret-store.ts";
import type { ArtifactStore } from "../releases/artifact-store.ts";
import type { ReleaseRegistry } from "../releases/registry.ts";
import type { Freezes } from "../rollouts/freezes.ts";
import type { Quarantines } from "../rollouts/quarantines.ts";
import type { RolloutService } from "../rollouts/service.ts";
import type { ShadowReports } from "../shadow/reports.ts";
import type { ControlTables } from "../storage/tables/index.ts";
import type { TrustRepository } from "../trust/repository.ts";

/** What the control plane tells about itself. */
export interface ControlPlaneInfo {
  version: string;
  /** Milliseconds since the epoch. */
  startedAt: number;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Addresses that devices use; they are known once the listeners are open. */
  addresses(): { deviceUrl: string; mqttUrl: string };
}

/** The services of the control plane that the operator API makes reachable. */
export interface OperatorServices {
  control: Kysely<ControlTables>;
  operators: Operators;
  secrets: SecretStore;
  approvals: ApprovalPolicies;
  /** Undefined without an identity provider. */
  signIn?: SignIn | undefined;
  info: ControlPlaneInfo;
  trust: TrustRepository;
  standing: DeviceStanding;
  ekRoots: EkRoots;
  tokens: JoinTokens;
  artifacts: ArtifactStore;
  releases: ReleaseRegistry;
  modelKeys: ModelKeys;
  fleet: Fleet;
  groups: Groups;
  health: HealthReports;
  drift: DriftReports;
  examples: Examples;
  rollouts: RolloutService;
  shadow: ShadowReports;
  alerts: Alerts;
  energy: Energy;
  freezes: Freezes;
  quarantines: Quarantines;
  audit: AuditLog;
  attestation: Attestation;
}
