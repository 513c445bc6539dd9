import { setImmediate } from "node:timers/promises";
import { MusterError } from "@muster/shared/errors";
import type { Kysely } from "kysely";
import { Reach } from "../people/reach.ts";
import { isDuplicate } from "../storage/errors.ts";
import type { ControlTables } from "../storage/tables/index.ts";
import { inTransaction } from "../storage/transaction.ts";
import type { Directory } from "./directory.ts";
import type { Group } from "./group-book.ts";
import { names, parseSelector, printSelector } from "./selector.ts";

/** A group with the devices that it has now. */
export interface GroupView extends Group {
  devices: number;
  offline: number;
}

export interface GroupsSettings {
  db: Kysely<ControlTables>;
  directory: Directory;
  /** Milliseconds since the epoch. */
  clock: () => number;
  /** Ids of rollouts that have not ended and whose selectors name the group. */
  usersOf(db: Kysely<ControlTables>, group: string): Promise<string[]>;
}

/** Saved selectors: who is in a group follows from the fleet as it is, each time somebody asks. */
export class Groups {
  readonly #settings: GroupsSettings;

  constructor(settings: GroupsSettings) {
    this.#settings = settings;
  }

  /** By name. Each group is counted in a turn of its own, so that many groups hold nobody up. */
  async list(reach: Reach = Reach.everywhere): Promise<GroupView[]> {
    const views: GroupView[] = [];
    for (const group of [...this.#current().groups.all()]) {
      const view = this.#view(group, reach);
      if (isSeen(view, reach)) views.push(view);
      await setImmediate();
    }
    return views;
  }

  /** @throws MusterError `request.not-found` */
  get(name: string, reach: Reach = Reach.everywhere): GroupView {
    const view = this.#view(this.#require(name), reach);
    if (!isSeen(view, reach)) throw noGroup(name);
    return view;
  }

  /** @throws MusterError `request.not-found` */
  selectorOf(name: string): string {
    return this.#require(name).selector;
  }

  /** @throws MusterError `selector.invalid`, or `request.conflict` when there is a group of this name */
  async create(name: string, selector: string, description = ""): Promise<GroupView> {
    const at = this.#settings.clock();
    const saved = checked(selector);
    try {
      await this.#settings.db
        .insertInto("groups")
        .values({ name, selector: saved, description, created_at: at, changed_at: at })
        .execute();
    } catch (error) {
      if (!isDuplicate(error)) throw error;
      throw new MusterError("request.conflict", `There is a group ${name} already.`);
    }
    return this.get(name);
  }

  /**
   * Gives a group another selector or description. Rollouts under way keep the devices that they have; their late
   * joiners are those of the new selector.
   * @throws MusterError `selector.invalid` or `request.not-found`
   */
  async change(name: string, change: { selector: string; description?: string }): Promise<GroupView> {
    const { description } = change;
    const { numUpdatedRows } = await this.#settings.db
      .updateTable("groups")
      .set({
        selector: checked(change.selector),
        changed_at: this.#settings.clock(),
        ...(description === undefined ? {} : { description }),
      })
      .where("name", "=", name)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) throw noGroup(name);
    return this.get(name);
  }

  /**
   * Deletes a group. Selectors that go on naming it select nobody.
   * @param force Also where a rollout that has not ended names it
   * @throws MusterError `request.not-found`, or `request.conflict` with the rollouts that name it
   */
  async remove(name: string, force: boolean): Promise<void> {
    const { db, usersOf } = this.#settings;
    await inTransaction(db, async (tx) => {
      const [first, ...others] = force ? [] : await usersOf(tx, name);
      if (first !== undefined)
        throw new MusterError(
          "request.conflict",
          `Rollout ${first}${others.length > 0 ? ` and ${others.length} more` : ""} names group ${name}: wait for the end, or force it.`,
        );
      const { numDeletedRows } = await tx.deleteFrom("groups").where("name", "=", name).executeTakeFirst();
      if (numDeletedRows === 0n) throw noGroup(name);
    });
  }

  #require(name: string): Group {
    const group = this.#current().groups.get(name);
    if (!group) throw noGroup(name);
    return group;
  }

  #view(group: Group, reach: Reach): GroupView {
    const view = { ...group, devices: 0, offline: 0 };
    for (const device of this.#settings.directory.matching(parseSelector(group.selector))) {
      if (!reach.covers(device.site)) continue;
      view.devices += 1;
      if (!device.online) view.offline += 1;
    }
    return view;
  }

  #current(): Directory {
    this.#settings.directory.refresh();
    return this.#settings.directory;
  }
}

/** Who sees some sites only sees the groups that have devices there. */
const isSeen = ({ devices }: GroupView, reach: Reach): boolean => reach.isEverywhere || devices > 0;

const noGroup = (name: string): MusterError =>
  new MusterError("request.not-found", `There is no group ${name}.`);

/** The selector as it is saved. A group of groups could go round in circles. */
function checked(text: string): string {
  const selector = parseSelector(text);
  if (names(selector, "group"))
    throw new MusterError("selector.invalid", "Selector: a group may not name groups.");
  return printSelector(selector);
}
