import { MusterError } from "@muster/shared/errors";
import type { Database } from "better-sqlite3";
import type { RolloutApprovalsTable, RolloutsTable } from "../storage/tables/rollouts.ts";
import type { RolloutEvent } from "./decide/types.ts";
import type { Actor, RolloutProgress } from "./model.ts";
import { progressOfRow } from "./store.ts";
import type { ApprovalView } from "./views.ts";
import { closed, counted } from "./words.ts";

type Change = { progress: RolloutProgress; event: RolloutEvent };
type Decision = RolloutApprovalsTable["decision"];

/**
 * Notes that an operator approves; with the last approval that is needed the rollout is scheduled. Undefined
 * where the operator approved before. Call it inside a transaction.
 * @throws MusterError `rollout.approval-refused` for its author and for who submitted it,
 * `rollout.transition-invalid` where it awaits no approval
 */
export function approve(db: Database, row: RolloutsTable, actor: Actor, now: number): Change | undefined {
  if (decisionOf(db, row.id, actor) === "approved") return undefined;
  requireAwaiting(row, "approve");
  const author = JSON.parse(row.created_by) as Actor;
  const submitter = row.submitted_by === null ? null : (JSON.parse(row.submitted_by) as Actor);
  if (actor.id === author.id || actor.id === submitter?.id)
    throw new MusterError(
      "rollout.approval-refused",
      `${actor.name} ${actor.id === author.id ? "planned" : "submitted"} this rollout: somebody else has to approve it.`,
    );
  note(db, row.id, actor, "approved", null, now);
  const given = db
    .prepare<[string], number>(
      "SELECT count(*) FROM rollout_approvals WHERE rollout = ? AND decision = 'approved'",
    )
    .pluck()
    .get(row.id) as number;
  const needed = row.approvals_needed;
  const missing = Math.max(0, needed - given);
  const rest = missing === 0 ? "nothing is missing" : `${counted(missing, "approval")} missing`;
  const progress = progressOfRow(row);
  return {
    progress: missing === 0 ? { ...progress, state: "scheduled", reason: null } : progress,
    event: {
      kind: "approved",
      sentence: `${actor.name} approved the rollout: ${rest}.`,
      numbers: { given, needed },
    },
  };
}

/**
 * Notes that an operator denies: the rollout is aborted. Undefined where the operator denied it before.
 * @throws MusterError `rollout.transition-invalid` where it awaits no approval
 */
export function deny(
  db: Database,
  row: RolloutsTable,
  actor: Actor,
  reason: string,
  now: number,
): Change | undefined {
  if (decisionOf(db, row.id, actor) === "denied") return undefined;
  requireAwaiting(row, "deny");
  note(db, row.id, actor, "denied", reason, now);
  const sentence = closed(`${actor.name} denied the rollout: ${reason}`);
  return {
    progress: { ...progressOfRow(row), state: "aborted", reason: sentence, endedAt: now },
    event: { kind: "denied", sentence, numbers: {} },
  };
}

/** What operators said to a rollout, oldest first. */
export const approvalsOf = (db: Database, rollout: string): ApprovalView[] =>
  db
    .prepare<[string], RolloutApprovalsTable>(
      "SELECT * FROM rollout_approvals WHERE rollout = ? ORDER BY at, operator",
    )
    .all(rollout)
    .map(({ operator, operator_name, decision, reason, at }) => ({
      operator: { id: operator, name: operator_name },
      decision,
      reason,
      at,
    }));

const decisionOf = (db: Database, rollout: string, actor: Actor): Decision | undefined =>
  db
    .prepare<[string, string], Decision>(
      "SELECT decision FROM rollout_approvals WHERE rollout = ? AND operator = ?",
    )
    .pluck()
    .get(rollout, actor.id);

function requireAwaiting({ state }: RolloutsTable, action: string): void {
  if (state !== "awaiting-approval")
    throw new MusterError(
      "rollout.transition-invalid",
      `A rollout that is ${state} cannot do this: ${action} is possible while awaiting-approval.`,
    );
}

function note(
  db: Database,
  rollout: string,
  actor: Actor,
  decision: Decision,
  reason: string | null,
  at: number,
): void {
  db.prepare(
    `INSERT INTO rollout_approvals (rollout, operator, operator_name, decision, reason, at)
     VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (rollout, operator) DO UPDATE SET decision = excluded.decision, reason = excluded.reason,
       at = excluded.at`,
  ).run(rollout, actor.id, actor.name, decision, reason, at);
}
