import type { RunningComponent } from "@muster/shared/protocol/state";
import type { Standing } from "../runner/forward/standing.ts";
import type { Deployment } from "./deployment.ts";
import type { GroupContext, GroupInContext, LaunchedGroup, Listening } from "./group-context.ts";
import type { Launched } from "./launch.ts";
import { defaultMemoryLimit, usableMemory } from "./memory.ts";
import type { RunnerProcess } from "./runner-process.ts";
import { ServedGroup } from "./served-group.ts";

const MIB = 1024 * 1024;

/** Keeps one release served, by one runner for each of its groups; they begin and end together. */
export class ServedRelease {
  readonly deployment: Deployment;
  readonly groups: readonly ServedGroup[];

  constructor(context: GroupContext, deployment: Deployment, launched: readonly LaunchedGroup[]) {
    this.deployment = deployment;
    const { runnerMemoryMib } = context.settings;
    const memoryLimit =
      runnerMemoryMib === null ? defaultMemoryLimit(usableMemory(), launched.length) : runnerMemoryMib * MIB;
    const own: GroupContext = {
      ...context,
      onFresh: (group, fresh) => {
        const standings = this.standings({ group, launched: fresh });
        fresh.runner.send({ kind: "siblings", standings });
        context.onFresh(group, fresh);
      },
    };
    this.groups = launched.map((each) => new ServedGroup(own, deployment.release, each, memoryLimit));
  }

  /** `ready` when all groups are, `failed` when one is. */
  get state(): ServedGroup["state"] {
    const states = this.groups.map(({ state }) => state);
    if (states.includes("failed")) return "failed";
    return states.includes("starting") ? "starting" : "ready";
  }

  /** Nobody but the update engine can make it whole again. */
  get damaged(): boolean {
    return this.groups.some(({ damaged }) => damaged);
  }

  get components(): RunningComponent[] {
    return this.groups.flatMap(({ state, components }) => (state === "ready" ? components : []));
  }

  get crashes(): number {
    return this.groups.reduce((sum, { crashes }) => sum + crashes, 0);
  }

  get rssBytes(): number {
    return this.groups.reduce((sum, { rssBytes }) => sum + rssBytes, 0);
  }

  /** What the shared endpoint listens on: every group listens on the same. */
  get listening(): Listening | undefined {
    const all = this.groups.flatMap(({ listening }) => (listening ? [listening] : []));
    return all.find(({ failure }) => !failure) ?? all[0];
  }

  get runners(): RunnerProcess[] {
    return this.groups.flatMap(({ runners }) => runners);
  }

  /**
   * Every runner opens its door for the others before the first one listens for everybody.
   * @throws MusterError `runner.crashed` or `runner.hung` when one does not; nothing of it is served then
   */
  async begin(drainSeconds: number): Promise<void> {
    try {
      if (this.groups.length > 1) for (const group of this.groups) await group.prepareToServe();
      for (const group of this.groups) await group.begin();
    } catch (error) {
      await this.retire("keep", drainSeconds);
      throw error;
    }
  }

  /** Resolves when every runner is gone. */
  async retire(idleConnections: "keep" | "close", seconds: number): Promise<void> {
    await Promise.all(this.groups.map((group) => group.retire(idleConnections, seconds)));
  }

  /**
   * Each model of the release as siblings have to know it, in the release's order.
   * @param fresh a runner that takes over its group
   */
  standings(fresh?: { readonly group: GroupInContext; readonly launched: Launched }): Standing[] {
    return this.deployment.models.map(({ name, version }): Standing => {
      const group = this.groups.find(({ first }) =>
        first.some((model) => model.name === name && model.version === version),
      )!;
      const own = fresh?.group === group ? fresh.launched : undefined;
      const models = own?.models ?? group.models;
      const served = models.find((model) => model.name === name && model.version === version);
      const instead = served ?? models.find((model) => model.name === name);
      const base = {
        name,
        version: instead?.version ?? version,
        runner: own?.name ?? group.runnerName ?? group.id,
        socket: group.listening?.ownPath ?? null,
      };
      if (!instead) return { ...base, state: "failed", reason: "its cascade has no answer without it" };
      // A runner that opened its door for siblings is about to listen for everybody.
      const isOpen = own !== undefined || (group.runner !== undefined && base.socket !== null);
      return isOpen
        ? { ...base, state: "ready", reason: "" }
        : { ...base, state: group.state, reason: group.reason };
    });
  }
}
