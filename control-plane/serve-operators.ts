import { createOperatorApi } from "./api/server.ts";
import type { ControlPlaneInfo, OperatorServices } from "./api/services.ts";
import { Groups } from "./fleet/groups.ts";
import { ApprovalPolicies } from "./people/approval-policies.ts";
import { readOidcFile } from "./people/oidc/oidc-file.ts";
import { SignIn } from "./people/oidc/sign-in.ts";
import { Operators } from "./people/operators.ts";
import { Freezes } from "./rollouts/freezes.ts";
import { rolloutsNaming } from "./rollouts/group-users.ts";
import { Quarantines } from "./rollouts/quarantines.ts";
import type { Base } from "./serve-base.ts";
import type { Closers } from "./settings/closers.ts";
import { listenError } from "./settings/listen-error.ts";
import type { operatorTls } from "./settings/operator-tls.ts";
import type { ControlPlaneSettings } from "./settings/settings.ts";
import { ShadowReports } from "./shadow/reports.ts";
import { VERSION } from "./version.ts";

/** What the operator listener makes reachable, beside what it makes itself. */
export type OperatorParts = Omit<
  OperatorServices,
  "control" | "operators" | "signIn" | "approvals" | "groups" | "freezes" | "quarantines" | "shadow" | "info"
> & { info: Pick<ControlPlaneInfo, "addresses"> };

/** Where operators come in. */
export interface OperatorSide {
  /** Operator API and page. */
  operatorUrl: string;
  /** Token of the first operator: told on the first start only. */
  operatorToken: string | undefined;
}

/**
 * Opens the listener for operators: API, sign-in and page.
 * @param tls of the listener; undefined for plain HTTP, which is for loopback alone
 * @throws MusterError `settings.invalid`
 */
export async function openOperatorSide(
  { settings, log, clock, startedAt, stores, directory }: Base,
  { info, ...services }: OperatorParts,
  tls: Awaited<ReturnType<typeof operatorTls>>,
  closers: Closers,
): Promise<OperatorSide> {
  const { control } = stores;
  const operators = new Operators(control, clock);
  const { oidcFile } = settings;
  const signIn =
    oidcFile === null ? undefined : new SignIn(control, operators, await readOidcFile(oidcFile), clock);
  const api = await createOperatorApi(
    {
      ...services,
      control,
      operators,
      signIn,
      approvals: new ApprovalPolicies(control, clock),
      groups: new Groups({ db: control, directory, clock, usersOf: rolloutsNaming }),
      freezes: new Freezes(control, clock),
      quarantines: new Quarantines(stores, clock),
      shadow: new ShadowReports(control),
      info: { ...info, version: VERSION, startedAt, now: clock },
    },
    { refusalsPerMinute: settings.auditRefusalsPerMinute, ...(tls === undefined ? {} : { tls }) },
    log,
  );
  closers.add(() => api.close());
  const operatorUrl = await listenOperator(api, settings);
  return { operatorUrl, operatorToken: await operators.ensureFirstToken() };
}

async function listenOperator(
  api: Awaited<ReturnType<typeof createOperatorApi>>,
  { operatorHost: host, operatorPort: port }: ControlPlaneSettings,
): Promise<string> {
  try {
    return await api.listen({ host, port });
  } catch (cause) {
    throw listenError(host, port, cause);
  }
}
