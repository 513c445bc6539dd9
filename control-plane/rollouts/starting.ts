import { setImmediate as turn } from "node:timers/promises";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ReleaseManifest } from "@muster/shared/protocol/release";
import type { Kysely } from "kysely";
import type { Directory } from "../fleet/directory.ts";
import type { FleetDevice } from "../fleet/fleet-device.ts";
import type { ReleaseRegistry } from "../releases/registry.ts";
import type { Stores } from "../storage/database.ts";
import type { ControlTables } from "../storage/tables/index.ts";
import type { RolloutsTable } from "../storage/tables/rollouts.ts";
import type { ControlTransaction } from "../storage/transaction.ts";
import { readClaims } from "./candidates.ts";
import { memberWriter } from "./members.ts";
import type { RolloutPlan } from "./plan.ts";
import { requireTargets, type Selection, selectTargets } from "./selection.ts";
import { approvalsAsked } from "./site-approvals.ts";
import { planOf, rolloutWriter } from "./store.ts";
import { shareOut, type WaveMember } from "./waves.ts";
import { counted } from "./words.ts";

export interface Selected {
  ref: ReleaseRef;
  manifest: ReleaseManifest;
  selection: Selection;
  members: WaveMember<FleetDevice>[];
}

/** Members stored before the event loop gets its turn. */
const MEMBERS_AT_ONCE = 250;

/** Selects the targets of plans, and fixes them when a rollout starts. */
export class Starter {
  readonly #stores: Pick<Stores, "controlRaw">;
  readonly #directory: Directory;
  readonly #releases: Pick<ReleaseRegistry, "find" | "quarantines">;

  constructor(
    stores: Pick<Stores, "controlRaw">,
    directory: Directory,
    releases: Pick<ReleaseRegistry, "find" | "quarantines">,
  ) {
    this.#stores = stores;
    this.#directory = directory;
    this.#releases = releases;
  }

  /**
   * What a plan selects as things stand.
   * @throws MusterError `request.not-found` for the release, `selector.invalid`, `rollout.plan-invalid`
   */
  async select(
    db: Kysely<ControlTables>,
    plan: RolloutPlan,
    seed: number,
    except?: string,
  ): Promise<Selected> {
    const { name, version } = plan.release;
    const { ref, manifest } = await this.#releases.find(name, version, db);
    const quarantines = await this.#releases.quarantines(db);
    const quarantined = new Set(
      quarantines.filter(({ release }) => release === ref.digest).map((row) => row.hardware_class),
    );
    this.#directory.refresh();
    const claims = await readClaims(db, except);
    await turn();
    const selection = selectTargets(this.#directory, { ref, manifest, quarantined }, plan, claims);
    await turn();
    const members = shareOut(selection.targets, plan, seed);
    await turn();
    return { ref, manifest, selection, members };
  }

  /**
   * Fixes the targets as they are now and lets the rollout run, within the caller's transaction. Where they now are at
   * sites that ask for more approvals than it has, it awaits those first.
   * @throws MusterError `rollout.no-targets`, `release.quarantined`, `rollout.plan-invalid`
   */
  async start(tx: ControlTransaction, row: RolloutsTable, now: number): Promise<void> {
    const { manifest, selection, members } = await this.select(tx, planOf(row), row.seed, row.id);
    requireTargets(selection);
    const { controlRaw: db } = this.#stores;
    const needed = approvalsAsked(db)(new Set(members.map(({ target }) => target.site)));
    if (needed > row.approvals_needed) {
      db.prepare(
        "UPDATE rollouts SET revision = revision + 1, state = 'awaiting-approval', approvals_needed = ? WHERE id = ?",
      ).run(needed, row.id);
      const sentence = `It now has devices at sites that ask for ${counted(needed, "approval")} of others.`;
      rolloutWriter(db).events(row.id, [{ kind: "submitted", sentence, numbers: { needed } }], now);
      return;
    }
    const waves = (members.at(-1)?.wave ?? 0) + 1;
    const add = memberWriter(db, row.id, manifest);
    for (const [index, { target, wave, position }] of members.entries()) {
      add({ device: target, wave, position, status: "waiting" });
      if (index % MEMBERS_AT_ONCE === MEMBERS_AT_ONCE - 1) await turn();
    }
    db.prepare(
      "UPDATE rollouts SET revision = revision + 1, state = 'running', reason = NULL, started_at = ?, planned_waves = ? WHERE id = ?",
    ).run(now, waves, row.id);
    const devices = members.length;
    const sites = new Set(members.map(({ target }) => target.site)).size;
    const excluded = selection.excluded.length;
    const left = excluded > 0 ? `; ${counted(excluded, "device")} left out` : "";
    const sentence = `The rollout starts: ${counted(devices, "device")} at ${counted(sites, "site")} in ${counted(waves, "wave")}${left}.`;
    const numbers = { devices, sites, waves, excluded };
    rolloutWriter(db).events(row.id, [{ kind: "started", sentence, numbers }], now);
  }
}
