import { MusterError } from "@muster/shared/errors";
import type { Kysely } from "kysely";
import type { ReleaseRegistry } from "../releases/registry.ts";
import type { ControlTables } from "../storage/tables/index.ts";
import type { RolloutsTable } from "../storage/tables/rollouts.ts";
import { inTransaction } from "../storage/transaction.ts";
import { readCandidates } from "./candidates.ts";
import { insertMembers, requireFree } from "./members.ts";
import { completePlan, type RolloutPlan } from "./plan.ts";
import type { LivenessPort } from "./ports.ts";
import { readDevices, readEvents, readSummaries, readView } from "./reading.ts";
import type { Candidate } from "./selection.ts";
import { requireTargets, type Selection, selectTargets } from "./selection.ts";
import { addEvents, loadRollout, planOf, saveProgress } from "./store.ts";
import { type OperatorAction, transition } from "./transitions.ts";
import type {
  RolloutDeviceView,
  RolloutEventView,
  RolloutSummary,
  RolloutView,
  SelectionView,
} from "./views.ts";
import { shareOut, type WaveMember } from "./waves.ts";
import { counted } from "./words.ts";

export interface RolloutServiceSettings {
  db: Kysely<ControlTables>;
  releases: Pick<ReleaseRegistry, "find" | "quarantines">;
  liveness: LivenessPort;
  /** Milliseconds since the epoch. */
  clock: () => number;
  /** Random bytes: for ids and for the order of devices. */
  random: (bytes: number) => Uint8Array;
  /** Called after each change, so that the next tick need not be waited for. */
  wake?: () => void;
}

/** What operators do with rollouts. Each action is one transaction, and safe to repeat. */
export class RolloutService {
  readonly #settings: RolloutServiceSettings;

  constructor(settings: RolloutServiceSettings) {
    this.#settings = settings;
  }

  /**
   * What a plan would select as things stand: waves, and who is left out and why. Nothing is stored. The order
   * is drawn anew for each rollout, so that the members of a wave are an example.
   * @throws MusterError `rollout.plan-invalid`, or `request.not-found` for the release
   */
  async dryRun(input: unknown): Promise<SelectionView> {
    const plan = completePlan(input);
    const { ref, selection, members } = await this.#select(this.#settings.db, plan, this.#drawSeed());
    const place = ({ id, name, site, hardwareClass }: Candidate) => ({
      device: id,
      name,
      site,
      hardwareClass,
    });
    const count = members.reduce((highest, { wave }) => Math.max(highest, wave + 1), 0);
    return {
      release: ref,
      matched: selection.matched,
      waves: Array.from({ length: count }, (_, wave) => ({
        number: wave + 1,
        devices: members.filter((member) => member.wave === wave).map(({ target }) => place(target)),
      })),
      excluded: selection.excluded.map(({ candidate, reason, sentence }) => ({
        device: candidate.id,
        name: candidate.name,
        site: candidate.site,
        reason,
        sentence,
      })),
    };
  }

  /**
   * Stores a plan as a draft; nobody is told anything yet.
   * @throws MusterError `rollout.plan-invalid`, `request.not-found` for the release, `release.quarantined` or
   * `rollout.no-targets`
   */
  async create(input: unknown): Promise<RolloutView> {
    const { db, clock, random } = this.#settings;
    const plan = completePlan(input);
    const id = `r${Buffer.from(random(6)).toString("hex")}`;
    const seed = this.#drawSeed();
    await inTransaction(db, async (tx) => {
      const { ref, selection } = await this.#select(tx, plan, seed);
      requireTargets(selection, false);
      const row: RolloutsTable = {
        id,
        state: "draft",
        release: JSON.stringify(ref),
        plan: JSON.stringify(plan),
        seed,
        reason: null,
        wave: null,
        wave_opened_at: null,
        gate_held_since: null,
        wave_accepted: 0,
        gate: null,
        created_at: clock(),
        started_at: null,
        ended_at: null,
      };
      await tx.insertInto("rollouts").values(row).execute();
      const sentence = `The rollout to ${ref.name} ${ref.version} was planned for ${counted(selection.targets.length, "device")}.`;
      await addEvents(
        tx,
        id,
        [{ kind: "created", sentence, numbers: { devices: selection.targets.length } }],
        clock(),
      );
    });
    return await this.get(id);
  }

  /**
   * Fixes the set of targets as it is now, shares it out among the waves and lets the rollout run: the first
   * wave is told in the next tick. Devices that enroll later are not part of it. Starting again changes nothing.
   * @throws MusterError `request.conflict` that names another rollout with one of the devices,
   * `rollout.no-targets`, `release.quarantined`, `rollout.plan-invalid` or `rollout.transition-invalid`
   */
  async start(id: string): Promise<RolloutView> {
    const { db, clock } = this.#settings;
    await inTransaction(db, async (tx) => {
      const row = await requireRow(tx, id);
      if (row.state === "running") return;
      if (row.state !== "draft")
        throw new MusterError("rollout.transition-invalid", `A rollout that is ${row.state} cannot start.`);
      const { selection, members } = await this.#select(tx, planOf(row), row.seed);
      requireTargets(selection, true);
      await insertMembers(tx, id, members);
      const now = clock();
      await tx
        .updateTable("rollouts")
        .set({ state: "running", started_at: now })
        .where("id", "=", id)
        .execute();
      const devices = members.length;
      const sites = new Set(members.map(({ target }) => target.site)).size;
      const waves = (members.at(-1)?.wave ?? 0) + 1;
      const left =
        selection.excluded.length > 0 ? `; ${counted(selection.excluded.length, "device")} left out` : "";
      const sentence = `The rollout starts: ${counted(devices, "device")} at ${counted(sites, "site")} in ${counted(waves, "wave")}${left}.`;
      const numbers = { devices, sites, waves, excluded: selection.excluded.length };
      await addEvents(tx, id, [{ kind: "started", sentence, numbers }], now);
    });
    return await this.#changed(id);
  }

  /**
   * Tells nobody more. What was told goes on, its evidence is taken in, and a violated gate still turns the
   * rollout back. Pausing again changes nothing.
   * @throws MusterError `rollout.transition-invalid`, `request.not-found`
   */
  async pause(id: string, reason?: string): Promise<RolloutView> {
    return await this.#act(id, "pause", { reason });
  }

  /**
   * Goes on after a pause and gives the open wave its full time again. With `acceptWave` the operator takes an
   * inconclusive wave as it is and the next one begins; a violated gate cannot be accepted away.
   * @throws MusterError `rollout.transition-invalid`, `request.not-found`
   */
  async resume(id: string, options: { acceptWave?: boolean } = {}): Promise<RolloutView> {
    return await this.#act(id, "resume", options);
  }

  /**
   * Hands nothing out any more. A device that was told and has not begun gets its former release back by a newer
   * directive; one that has begun runs to its end and keeps what it then runs. `aborted` once all that can be
   * reached have settled; a draft is aborted at once. Aborting again changes nothing.
   * @throws MusterError `rollout.transition-invalid`, `request.not-found`
   */
  async abort(id: string, reason?: string): Promise<RolloutView> {
    return await this.#act(id, "abort", { reason });
  }

  /**
   * Gives every device that this rollout told its own former release back by a newer directive, also after the
   * rollout completed or was aborted; devices that a later rollout took over are left alone. `reverted` once all
   * that can be reached are back. Reverting again changes nothing.
   * @throws MusterError `request.conflict` where another rollout is changing one of the devices,
   * `rollout.transition-invalid`, `request.not-found`
   */
  async revert(id: string, reason?: string): Promise<RolloutView> {
    return await this.#act(id, "revert", { reason });
  }

  /** Every rollout, newest first. */
  async list(): Promise<RolloutSummary[]> {
    return await readSummaries(this.#settings.db, this.#settings.liveness);
  }

  /** @throws MusterError `request.not-found` */
  async get(id: string): Promise<RolloutView> {
    const { db, liveness, clock } = this.#settings;
    return await readView(db, await requireRow(db, id), liveness, clock());
  }

  /** Devices of a started rollout, in the order in which they are told. @throws MusterError `request.not-found` */
  async devices(id: string): Promise<RolloutDeviceView[]> {
    await requireRow(this.#settings.db, id);
    return await readDevices(this.#settings.db, id, this.#settings.liveness);
  }

  /** Events after `afterSeq`, oldest first, 1000 at most. @throws MusterError `request.not-found` */
  async events(id: string, afterSeq = 0): Promise<RolloutEventView[]> {
    await requireRow(this.#settings.db, id);
    return await readEvents(this.#settings.db, id, afterSeq);
  }

  async #act(
    id: string,
    action: OperatorAction,
    options: { reason?: string | undefined; acceptWave?: boolean },
  ): Promise<RolloutView> {
    const { db, clock } = this.#settings;
    await inTransaction(db, async (tx) => {
      const row = await requireRow(tx, id);
      const rollout = await loadRollout(tx, row);
      const next = transition(rollout, action, clock(), { ...options, started: row.started_at !== null });
      if (!next) return;
      if (action === "revert") await requireFree(tx, id);
      await saveProgress(tx, id, next.progress);
      await addEvents(tx, id, [next.event], clock());
    });
    return await this.#changed(id);
  }

  async #changed(id: string): Promise<RolloutView> {
    this.#settings.wake?.();
    return await this.get(id);
  }

  #drawSeed(): number {
    return Buffer.from(this.#settings.random(4)).readUInt32BE();
  }

  async #select(
    db: Kysely<ControlTables>,
    plan: RolloutPlan,
    seed: number,
  ): Promise<{
    ref: Awaited<ReturnType<ReleaseRegistry["find"]>>["ref"];
    selection: Selection;
    members: WaveMember<Candidate>[];
  }> {
    const { name, version } = plan.release;
    const { ref, manifest } = await this.#settings.releases.find(name, version, db);
    const quarantines = await this.#settings.releases.quarantines(db);
    const quarantined = new Set(
      quarantines.filter(({ release }) => release === ref.digest).map((row) => row.hardware_class),
    );
    const selection = selectTargets(await readCandidates(db), { ref, manifest, quarantined }, plan);
    return { ref, selection, members: shareOut(selection.targets, plan, seed) };
  }
}

async function requireRow(db: Kysely<ControlTables>, id: string): Promise<RolloutsTable> {
  const row = await db.selectFrom("rollouts").selectAll().where("id", "=", id).executeTakeFirst();
  if (!row) throw new MusterError("request.not-found", `There is no rollout ${id}.`);
  return row;
}
