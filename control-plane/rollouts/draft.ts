import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { RolloutsTable } from "../storage/tables/rollouts.ts";
import type { Actor } from "./model.ts";
import type { RolloutPlan } from "./plan.ts";

interface Draft {
  id: string;
  release: ReleaseRef;
  plan: RolloutPlan;
  seed: number;
  actor: Actor;
  /** Milliseconds since the epoch. */
  now: number;
}

/** The row of a rollout that was planned and has not been submitted. */
export const draftRow = ({ id, release, plan, seed, actor, now }: Draft): RolloutsTable => ({
  id,
  state: "draft",
  revision: 1,
  members_revision: 1,
  release: JSON.stringify(release),
  plan: JSON.stringify(plan),
  seed,
  reason: null,
  wave: null,
  wave_opened_at: null,
  wave_clock_at: null,
  gate_held_since: null,
  skip_wave: null,
  planned_waves: null,
  gate: null,
  pace: null,
  wagers: null,
  approvals_needed: 0,
  created_by: JSON.stringify(actor),
  submitted_by: null,
  created_at: now,
  started_at: null,
  ended_at: null,
});
