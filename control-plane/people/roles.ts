/** What people may be, each including the ones before it. */
export const ROLES = ["viewer", "operator", "approver", "admin"] as const;
export type Role = (typeof ROLES)[number];

/** True where `role` may do whatever `least` may. */
export const isAtLeast = (role: Role, least: Role): boolean => ROLES.indexOf(role) >= ROLES.indexOf(least);

/** The lower of two. */
export const lowerRole = (a: Role, b: Role): Role => (isAtLeast(a, b) ? b : a);

/**
 * `sites`: the role at some site is enough, and the answer or the change keeps to those sites. `fleet`: it concerns all
 * sites at once, so the role has to be granted for the whole fleet.
 */
export type Extent = "sites" | "fleet";

interface Right {
  readonly role: Role;
  readonly extent: Extent;
  /** What it lets do, as docs/people.md says it. */
  readonly what: string;
}

const right = (role: Role, extent: Extent, what: string): Right => ({ role, extent, what });

/** Everything that routes ask for, and the least role that has it. The table of docs/people.md is made of this. */
export const RIGHTS = {
  "fleet.see": right("viewer", "sites", "See devices, sites, groups, health, drift, figures and results"),
  "rollouts.see": right("viewer", "sites", "See rollouts that reach their sites, freezes and quarantines"),
  "alerts.see": right("viewer", "sites", "See alerts and silences, and the rules behind them"),
  "releases.see": right("viewer", "sites", "See releases and the state of the trust metadata"),
  "attestation.see": right("viewer", "sites", "See verdicts, evidence and their history"),

  "devices.change": right("operator", "sites", "Label and rename devices; change settings of sites"),
  "devices.quarantine": right("operator", "sites", "Put a device in quarantine"),
  "examples.see": right(
    "operator",
    "sites",
    "Read and delete hard examples, which may show what a camera saw",
  ),
  "tokens.manage": right("operator", "sites", "Create, list and revoke join tokens"),
  "rollouts.run": right(
    "operator",
    "sites",
    "Plan, start, pause, resume, abort and revert rollouts; plan freezes",
  ),
  "alerts.silence": right("operator", "sites", "Silence alerts"),
  "power.change": right("operator", "sites", "Set power policies and energy factors"),
  "secrets.manage": right(
    "operator",
    "sites",
    "Set, list and remove secrets of devices; nobody can read one",
  ),
  "groups.change": right("operator", "fleet", "Create, change and remove groups"),
  "releases.add": right("operator", "fleet", "Upload artifacts and register signed releases"),
  "alerts.rule": right("operator", "fleet", "Write and remove alert rules"),

  "rollouts.approve": right("approver", "sites", "Approve or deny rollouts of others; end freezes"),
  "devices.release": right("approver", "sites", "Release a device from quarantine"),
  "quarantines.lift": right("approver", "fleet", "Lift the quarantine of a release"),

  "devices.remove": right("admin", "sites", "Revoke, decommission and replace devices"),
  "approvals.rule": right("admin", "sites", "Say how many approvals rollouts need at a site"),
  "attestation.manage": right("admin", "fleet", "Change attestation policies and reference values"),
  "alerts.receive": right("admin", "fleet", "See and change alert receivers"),
  "trust.manage": right("admin", "fleet", "Register trust roots and vendor roots"),
  "operators.manage": right("admin", "fleet", "Manage operators, their roles and their tokens"),
  "audit.see": right("admin", "fleet", "Read and export the audit log"),
} as const satisfies Record<string, Right>;
export type RightName = keyof typeof RIGHTS;

/** The rights as the table of docs/people.md. */
export const rightsTable = (): string =>
  [
    `| may | ${ROLES.join(" | ")} | where |`,
    `|---|${ROLES.map(() => ":-:").join("|")}|---|`,
    ...Object.values<Right>(RIGHTS).map(
      ({ role, extent, what }) =>
        `| ${what} | ${ROLES.map((each) => (isAtLeast(each, role) ? "yes" : "")).join(" | ")} | ${extent === "sites" ? "in their sites" : "whole fleet only"} |`,
    ),
  ].join("\n");
