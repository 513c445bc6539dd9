import { BoundedQueue } from "../bounded-queue.ts";
import { FEEDER_DEFAULTS, type HttpSource, type MqttSource } from "../config.ts";
import type { SourceStatus } from "../control.ts";
import type { Item } from "../item.ts";
import type { Feed } from "../pump.ts";

/** What is common to sources whose inputs do not wait for anybody: a bounded queue with a drop rule. */
export abstract class LiveFeed implements Feed {
  readonly isPatient = false;
  protected readonly status: SourceStatus;
  readonly #queue: BoundedQueue<Item>;
  readonly #dropped: () => void;
  readonly #prefix: string;
  #count = 0;

  /** @param prefix begins the ids of this run, so that none comes twice */
  constructor(
    { name, queue }: HttpSource | MqttSource,
    prefix: string,
    status: SourceStatus,
    dropped: (message: string) => void,
  ) {
    const { limit = FEEDER_DEFAULTS.queueLimit, drop = FEEDER_DEFAULTS.drop } = queue ?? {};
    this.#queue = new BoundedQueue(limit, drop);
    this.#prefix = `${name}-${prefix}`;
    this.#dropped = () => dropped(`Source ${name} brings more than is worked off: the ${drop} is dropped.`);
    this.status = status;
  }

  abstract start(): void;
  protected abstract end(): Promise<void>;

  protected push(item: Omit<Item, "id">): void {
    this.#count += 1;
    this.status.received += 1;
    if (this.#queue.push({ ...item, id: `${this.#prefix}-${this.#count}` }) === undefined) return;
    this.status.dropped += 1;
    this.#dropped();
  }

  take(): Promise<Item | undefined> {
    return this.#queue.take();
  }

  async settle(): Promise<void> {}

  get waiting(): number {
    return this.#queue.size;
  }

  async close(): Promise<void> {
    this.#queue.close();
    await this.end();
  }
}
