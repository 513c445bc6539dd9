import type { ErrorCode } from "@muster/shared/errors";
import type { GroupContext, GroupInContext, Listening } from "./group-context.ts";
import type { Launched } from "./launch.ts";

export interface DoorPorts {
  readonly context: GroupContext;
  readonly group: GroupInContext;
  /** This runner is the one that serves the group. */
  readonly isServing: (launched: Launched) => boolean;
  readonly event: (code: ErrorCode, message: string) => void;
  /** Told what it listens on, each time that it was asked to. */
  readonly listens: (answer: Listening) => void;
}

/** Where the runner of a group listens; an address that is taken is asked for again and again. */
export class Doors {
  readonly #ports: DoorPorts;
  #listening: Listening | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(ports: DoorPorts) {
    this.#ports = ports;
  }

  /** What the runner of now listens on; undefined while there is none. */
  get listening(): Listening | undefined {
    return this.#listening;
  }

  /** The runner opens its door for its siblings alone. @throws MusterError `runner.crashed` or `runner.hung` */
  async openForSiblings(launched: Launched): Promise<void> {
    this.#listening = await this.open(launched, "sibling");
  }

  /** @throws MusterError `runner.crashed` or `runner.hung` when the runner does not answer */
  open(launched: Launched, doors: "sibling" | "all"): Promise<Listening> {
    const { context, group } = this.#ports;
    const { endpoint, settings } = context;
    context.onFresh(group, launched);
    return endpoint.open(launched.runner, group.id, doors, (address) =>
      launched.runner.ask({ kind: "listen", address }, "listening", settings.startSeconds),
    );
  }

  /** From now on this is what the group listens on. What is missing is told once and asked for again later. */
  take(launched: Launched, answer: Listening): void {
    const { context, event, isServing, listens } = this.#ports;
    const { failure } = answer;
    const known = this.#listening?.failure;
    this.#listening = answer;
    clearTimeout(this.#timer);
    if (failure && isServing(launched)) {
      if (failure.message !== known?.message) event(failure.code, failure.message);
      const ms = context.settings.listenRetrySeconds * 1000;
      this.#timer = setTimeout(() => void this.#again(launched), ms);
    }
    listens(answer);
  }

  /** Asks no more for what is missing. */
  rest(): void {
    clearTimeout(this.#timer);
  }

  /** The runner is gone. */
  close(): void {
    this.rest();
    this.#listening = undefined;
  }

  async #again(launched: Launched): Promise<void> {
    const { isServing } = this.#ports;
    if (!isServing(launched) || launched.runner.ended) return;
    // A runner that dies meanwhile is dealt with where its end is awaited.
    const answer = await this.open(launched, "all").catch(() => undefined);
    if (answer && isServing(launched)) this.take(launched, answer);
  }
}

/** Applications can reach it. */
export const isReachable = ({ port, socketPath }: Pick<Listening, "port" | "socketPath">): boolean =>
  port !== null || socketPath !== null;
