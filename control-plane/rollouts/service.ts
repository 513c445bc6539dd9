import { MusterError } from "@muster/shared/errors";
import type { Directory } from "../fleet/directory.ts";
import { Reach } from "../people/reach.ts";
import type { ReleaseRegistry } from "../releases/registry.ts";
import type { Stores } from "../storage/database.ts";
import type { RolloutsTable } from "../storage/tables/rollouts.ts";
import { type ControlTransaction, inTransaction } from "../storage/transaction.ts";
import { approve, deny } from "./approvals.ts";
import type { RolloutEvent } from "./decide/types.ts";
import { draftRow } from "./draft.ts";
import { type SelectionView, selectionView } from "./dry-run.ts";
import { admitHeld } from "./late-joiners.ts";
import type { Actor, RolloutProgress } from "./model.ts";
import { Outlook } from "./outlook.ts";
import { completePlan } from "./plan.ts";
import { type PageQuery, readDevices, readEvents, readPage, readRolloutsOf, readView } from "./reading.ts";
import { requireTargets } from "./selection.ts";
import { isWithinReach, requireOwn, requireSeen } from "./sight.ts";
import { Starter } from "./starting.ts";
import { planOf, progressOfRow, rolloutWriter } from "./store.ts";
import { type OperatorAction, transition } from "./transitions.ts";
import type {
  DeviceRolloutView,
  RolloutDevicePage,
  RolloutEventView,
  RolloutPage,
  RolloutView,
} from "./views.ts";
import { counted, fitting } from "./words.ts";

export interface RolloutServiceSettings {
  stores: Pick<Stores, "control" | "controlRaw" | "writeControl">;
  releases: Pick<ReleaseRegistry, "find" | "quarantines">;
  directory: Directory;
  /** Milliseconds since the epoch. */
  clock: () => number;
  /** Random bytes: for ids and for the order of devices. */
  random: (bytes: number) => Uint8Array;
  /** Approvals that every rollout needs at least. */
  approvals?: number;
  /** Approvals that a rollout to devices at these sites needs at least. */
  approvalsAt?: (tx: ControlTransaction, sites: () => Promise<ReadonlySet<string>>) => Promise<number>;
  /** What the tick of this process saw last. */
  outlook?: Outlook;
  /** Called after each change, so that the next tick need not be waited for. */
  wake?: () => void;
}

type Change = { progress: RolloutProgress; event: RolloutEvent } | undefined;

/** What operators do with rollouts. Each action is one transaction, and safe to repeat. */
export class RolloutService {
  readonly #settings: RolloutServiceSettings;
  readonly #starter: Starter;
  readonly #outlook: Outlook;

  constructor(settings: RolloutServiceSettings) {
    this.#settings = settings;
    this.#starter = new Starter(settings.stores, settings.directory, settings.releases);
    this.#outlook = settings.outlook ?? new Outlook();
  }

  /**
   * What a plan would select as things stand: waves, and who is left out and why. Nothing is stored. The order
   * is drawn anew for each rollout, so that the members of a wave are an example.
   * @throws MusterError `rollout.plan-invalid`, `selector.invalid`, or `request.not-found` for the release
   */
  async dryRun(input: unknown): Promise<SelectionView> {
    const plan = completePlan(input);
    const seed = this.#drawSeed();
    const { ref, selection, members } = await this.#starter.select(this.#settings.stores.control, plan, seed);
    return selectionView(ref, selection, members);
  }

  /**
   * Stores a plan as a draft; nobody is told anything yet. Its author may start it, and may not approve it.
   * @throws MusterError `rollout.plan-invalid`, `selector.invalid`, `request.not-found` for the release,
   * `release.quarantined` or `rollout.no-targets`
   */
  async create(input: unknown, actor: Actor): Promise<RolloutView> {
    const { stores, clock, random } = this.#settings;
    const plan = completePlan(input);
    const id = `r${Buffer.from(random(6)).toString("hex")}`;
    const seed = this.#drawSeed();
    await inTransaction(stores.control, async (tx) => {
      const { ref, selection } = await this.#starter.select(tx, plan, seed);
      requireTargets(selection);
      const row = draftRow({ id, release: ref, plan, seed, actor, now: clock() });
      await tx.insertInto("rollouts").values(row).execute();
      const devices = selection.targets.length;
      const sentence = `${actor.name} planned the rollout to ${ref.name} ${ref.version} for ${counted(devices, "device")}.`;
      this.#tell(id, [{ kind: "created", sentence, numbers: { devices } }]);
    });
    return await this.get(id);
  }

  /**
   * Submits a draft. Where approvals are needed (the most of what the plan, the fleet and its sites ask for) it awaits them;
   * with `startAt` to come it is scheduled; otherwise it runs: the targets are fixed as they are now and shared
   * out among the waves, and the first wave is told in the next tick. Submitting again changes nothing.
   * @throws MusterError `rollout.no-targets`, `release.quarantined`, `rollout.plan-invalid` or
   * `rollout.transition-invalid`, `request.not-found`
   */
  async start(id: string, actor: Actor): Promise<RolloutView> {
    const { stores, clock } = this.#settings;
    await inTransaction(stores.control, async (tx) => {
      const row = await requireRow(tx, id);
      if (["awaiting-approval", "scheduled", "running"].includes(row.state)) return;
      if (row.state !== "draft")
        throw new MusterError("rollout.transition-invalid", `A rollout that is ${row.state} cannot start.`);
      const plan = planOf(row);
      const needed = await this.#approvalsFor(tx, row);
      const now = clock();
      await tx
        .updateTable("rollouts")
        .set({ submitted_by: JSON.stringify(actor), approvals_needed: needed })
        .where("id", "=", id)
        .execute();
      if (needed > 0) {
        const sentence = `${actor.name} submitted the rollout: ${counted(needed, "approval")} of others ${fitting(needed, "is", "are")} needed.`;
        this.#put(row, "awaiting-approval", { kind: "submitted", sentence, numbers: { needed } });
      } else if (plan.startAt !== null && plan.startAt > now) {
        const seconds = Math.round((plan.startAt - now) / 1000);
        const sentence = `${actor.name} scheduled the rollout for ${new Date(plan.startAt).toISOString()}.`;
        this.#put(row, "scheduled", { kind: "scheduled", sentence, numbers: { seconds } });
      } else await this.#starter.start(tx, row, now);
    });
    return await this.#changed(id);
  }

  /**
   * Approves a rollout that awaits approval; with the last approval that is needed it starts, or waits for its
   * `startAt`. Neither its author nor who submitted it may approve, and each operator counts once. Approving
   * again changes nothing.
   * @throws MusterError `rollout.approval-refused`, `rollout.transition-invalid`, `request.not-found`
   */
  async approve(id: string, actor: Actor): Promise<RolloutView> {
    const { stores, clock } = this.#settings;
    return await this.#change(id, (row) => approve(stores.controlRaw, row, actor, clock()));
  }

  /**
   * Denies a rollout that awaits approval: it is aborted, with the reason. Denying again changes nothing.
   * @throws MusterError `rollout.transition-invalid`, `request.not-found`
   */
  async deny(id: string, actor: Actor, reason: string): Promise<RolloutView> {
    const { stores, clock } = this.#settings;
    return await this.#change(id, (row) => deny(stores.controlRaw, row, actor, reason, clock()));
  }

  /**
   * Tells nobody more. What was told goes on, its evidence is taken in, and a violated gate still turns the
   * rollout back. Pausing again changes nothing.
   * @throws MusterError `rollout.transition-invalid`, `request.not-found`
   */
  async pause(id: string, actor: Actor, reason?: string): Promise<RolloutView> {
    return await this.#act(id, "pause", { actor, reason });
  }

  /**
   * Goes on after a pause and gives the open wave its full time again. Evidence counts on. A gate that is
   * violated, or inconclusive for good, pauses it again. Resuming again changes nothing.
   * @throws MusterError `rollout.transition-invalid`, `request.not-found`
   */
  async resume(id: string, actor: Actor, reason?: string): Promise<RolloutView> {
    return await this.#act(id, "resume", { actor, reason });
  }

  /**
   * Takes the open wave as it is: the next one begins in the next tick, after the last one the rollout completes.
   * Devices of the skipped wave that were not told are told beside those of the next. A paused rollout goes on. A
   * violated gate cannot be skipped: it stops the rollout first. The action names its wave (counted from 1), so
   * that repeating it skips no other one.
   * @throws MusterError `rollout.transition-invalid` also for a wave that is not open yet, `request.not-found`
   */
  async skipWave(id: string, actor: Actor, wave: number, reason?: string): Promise<RolloutView> {
    return await this.#act(id, "skip-wave", { actor, wave, reason });
  }

  /**
   * Hands nothing out any more. A device that was told and has not begun, or waits for a retry, gets its former
   * release back by a newer directive; one that has begun runs to its end and keeps what it then runs. `aborted`
   * once all that can be reached have settled; what never started is aborted at once. Aborting again changes
   * nothing.
   * @throws MusterError `rollout.transition-invalid`, `request.not-found`
   */
  async abort(id: string, actor: Actor, reason?: string): Promise<RolloutView> {
    return await this.#act(id, "abort", { actor, reason });
  }

  /**
   * Gives every device that this rollout told its own former release back by a newer directive, also after the
   * rollout completed or was aborted; devices that another rollout took over are left alone. Pace, windows and
   * freezes do not hold the way back. `reverted` once all that can be reached are back. Reverting again changes
   * nothing.
   * @throws MusterError `rollout.transition-invalid`, `request.not-found`
   */
  async revert(id: string, actor: Actor, reason?: string): Promise<RolloutView> {
    return await this.#act(id, "revert", { actor, reason });
  }

  /**
   * Lets late joiners that the plan holds take part: in a wave behind the last one, or at once where the rollout has
   * completed. Repeating it admits those that came since.
   * @throws MusterError `rollout.transition-invalid`, `request.not-found`
   */
  async admitLate(id: string, actor: Actor): Promise<RolloutView> {
    const { controlRaw } = this.#settings.stores;
    return await this.#change(id, (row) => {
      if (!["running", "paused", "completed"].includes(row.state))
        throw new MusterError(
          "rollout.transition-invalid",
          `A rollout that is ${row.state} cannot do this: admit-late is possible while running, paused, completed.`,
        );
      const devices = admitHeld(controlRaw, row);
      if (devices === 0) return undefined;
      const sentence = `${actor.name} admitted ${counted(devices, "late joiner")}.`;
      return { progress: progressOfRow(row), event: { kind: "admit-late", sentence, numbers: { devices } } };
    });
  }

  /** Rollouts that have anything within reach, newest first, a page at a time. @throws MusterError `request.invalid` for a cursor that is none */
  async list(query: PageQuery = {}, reach: Reach = Reach.everywhere): Promise<RolloutPage> {
    const { stores, directory } = this.#settings;
    directory.refresh();
    return await readPage(stores.control, directory, query, reach);
  }

  /** @throws MusterError `request.not-found` */
  async get(id: string, reach: Reach = Reach.everywhere): Promise<RolloutView> {
    const { stores, directory } = this.#settings;
    await requireSeen(stores.control, directory, id, reach);
    const row = await requireRow(stores.control, id);
    return await readView(stores, row, directory, this.#outlook.of(id), reach);
  }

  /**
   * Devices of a started rollout in the order in which they are told, a page at a time.
   * @throws MusterError `request.not-found`, `request.invalid` for a cursor that is none
   */
  async devices(
    id: string,
    query: PageQuery = {},
    reach: Reach = Reach.everywhere,
  ): Promise<RolloutDevicePage> {
    const { stores, directory } = this.#settings;
    await requireSeen(stores.control, directory, id, reach);
    const row = await requireRow(stores.control, id);
    return await readDevices(stores.control, row, directory, this.#outlook.of(id), query, reach);
  }

  /** The started rollouts that have a device and where it stands in each, newest first, 20 at most. */
  async ofDevice(device: string): Promise<DeviceRolloutView[]> {
    const { stores, directory } = this.#settings;
    return await readRolloutsOf(stores.control, device, directory, (id) => this.#outlook.of(id));
  }

  /** Events after `afterSeq`, oldest first, 1000 at most. @throws MusterError `request.not-found` */
  async events(id: string, afterSeq = 0, reach: Reach = Reach.everywhere): Promise<RolloutEventView[]> {
    const { control } = this.#settings.stores;
    await requireSeen(control, this.#settings.directory, id, reach);
    const all = isWithinReach(planOf(await requireRow(control, id)), reach);
    return await readEvents(control, id, afterSeq, all);
  }

  /** @throws MusterError `request.not-found` for a rollout that has nothing within reach */
  async requireSeen(id: string, reach: Reach): Promise<void> {
    await requireSeen(this.#settings.stores.control, this.#settings.directory, id, reach);
  }

  /** @throws MusterError `access.denied` for a rollout that is not there, or goes beyond the reach */
  async requireOwn(id: string, reach: Reach): Promise<void> {
    await requireOwn(this.#settings.stores.control, id, reach);
  }

  /** The most of what the plan, the fleet and the sites of its devices ask for. */
  async #approvalsFor(tx: ControlTransaction, row: RolloutsTable): Promise<number> {
    const { approvals = 0, approvalsAt } = this.#settings;
    const plan = planOf(row);
    const asked = Math.max(plan.approvals, approvals);
    if (!approvalsAt) return asked;
    const sites = async () => {
      const { selection } = await this.#starter.select(tx, plan, row.seed, row.id);
      return new Set(selection.targets.map(({ site }) => site));
    };
    return Math.max(asked, await approvalsAt(tx, sites));
  }

  async #act(
    id: string,
    action: OperatorAction,
    options: { actor: Actor; reason?: string | undefined; wave?: number },
  ): Promise<RolloutView> {
    const now = this.#settings.clock();
    return await this.#change(id, (row) =>
      transition(progressOfRow(row), action, now, { ...options, started: row.started_at !== null }),
    );
  }

  async #change(id: string, change: (row: RolloutsTable) => Change): Promise<RolloutView> {
    const { stores } = this.#settings;
    await inTransaction(stores.control, async (tx) => {
      const next = change(await requireRow(tx, id));
      if (!next) return;
      rolloutWriter(stores.controlRaw).progress(id, next.progress);
      this.#tell(id, [next.event]);
    });
    return await this.#changed(id);
  }

  #put(row: RolloutsTable, state: RolloutProgress["state"], event: RolloutEvent): void {
    const { controlRaw } = this.#settings.stores;
    rolloutWriter(controlRaw).progress(row.id, { ...progressOfRow(row), state });
    this.#tell(row.id, [event]);
  }

  /** Within a transaction of the control database, whose connection it shares. */
  #tell(id: string, events: readonly RolloutEvent[]): void {
    const { stores, clock } = this.#settings;
    rolloutWriter(stores.controlRaw).events(id, events, clock());
  }

  async #changed(id: string): Promise<RolloutView> {
    this.#settings.wake?.();
    return await this.get(id);
  }

  #drawSeed(): number {
    return Buffer.from(this.#settings.random(4)).readUInt32BE();
  }
}

async function requireRow(db: ControlTransaction | Stores["control"], id: string): Promise<RolloutsTable> {
  const row = await db.selectFrom("rollouts").selectAll().where("id", "=", id).executeTakeFirst();
  if (!row) throw new MusterError("request.not-found", `There is no rollout ${id}.`);
  return row;
}
