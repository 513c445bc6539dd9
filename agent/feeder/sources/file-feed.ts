import { createHash } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { asMusterError, MusterError } from "@muster/shared/errors";
import { FEEDER_DEFAULTS, type FileSource } from "../config.ts";
import { contentTypeOf } from "../content-type.ts";
import type { SourceStatus } from "../control.ts";
import type { Item } from "../item.ts";
import type { Feed, Outcome } from "../pump.ts";
import { DoneFiles } from "./done-files.ts";
import { type Watched, watched } from "./file-pattern.ts";
import { dispose, type Found, list, readWhole } from "./folder.ts";

const MIB = 1024 * 1024;
/** Files that are ready at a time; the folder itself is the queue. */
const MAX_READY = 100;

export interface FileFeedPorts {
  readonly stateDir: string;
  readonly status: SourceStatus;
  readonly monotonic: () => number;
  readonly trouble: (error: MusterError) => void;
  /** Told of a file that is not even tried. */
  readonly refused: (message: string) => void;
}

/**
 * Takes each file of a folder once, oldest first, also over restarts: what is settled is on disk before the file is
 * moved, deleted or passed over. The folder is looked at by polling, which also sees what other machines write.
 */
export class FileFeed implements Feed {
  readonly isPatient = true;
  readonly #source: FileSource;
  readonly #ports: FileFeedPorts;
  readonly #watched: Watched;
  readonly #stop = new AbortController();
  readonly #seen = new Map<string, number>();
  /** Ready or under way. */
  readonly #taken = new Map<string, Found>();
  #ready: Found[] = [];
  #done: DoneFiles | undefined;
  #wake: (() => void) | undefined;
  #scanning: Promise<void> | undefined;

  constructor(source: FileSource, ports: FileFeedPorts) {
    this.#source = source;
    this.#ports = ports;
    this.#watched = watched(source.path);
  }

  start(): void {
    this.#scanning = this.#scanAgainAndAgain();
  }

  get waiting(): number {
    return this.#ready.length;
  }

  async take(): Promise<Item | undefined> {
    while (!this.#stop.signal.aborted) {
      const file = this.#ready.shift();
      if (!file) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      const item = await this.#read(file).catch((error: unknown) => {
        this.#ports.trouble(asMusterError(error, "source.unreachable"));
        return undefined;
      });
      if (item) return item;
      this.#taken.delete(file.key);
    }
    return undefined;
  }

  async settle({ id }: Item, outcome: Outcome): Promise<void> {
    const file = [...this.#taken.values()].find(({ key }) => this.#idOf(key) === id);
    if (file) await this.#settle(file, outcome);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#wake?.();
    await this.#scanning;
    await this.#done?.close();
  }

  async #read(file: Found): Promise<Item | undefined> {
    const limit = (this.#source.maxMib ?? FEEDER_DEFAULTS.maxMib) * MIB;
    const { status, refused, monotonic } = this.#ports;
    if (file.size > limit) {
      status.received += 1;
      status.rejected += 1;
      refused(`Source ${this.#source.name}: ${file.path} is larger than ${limit} bytes.`);
      await this.#settle(file, "rejected");
      return undefined;
    }
    const body = await readWhole(file.path);
    if (!body) return undefined;
    status.received += 1;
    const contentType = this.#source.contentType ?? contentTypeOf(body, file.path);
    return { id: this.#idOf(file.key), origin: file.path, body, contentType, receivedAt: monotonic() };
  }

  async #settle(file: Found, outcome: Outcome): Promise<void> {
    try {
      await this.#done?.add(file.key, outcome);
      await this.#dispose(file, outcome);
    } catch (error) {
      this.#ports.trouble(asMusterError(error, "source.unreachable"));
    } finally {
      this.#taken.delete(file.key);
    }
  }

  #dispose({ path, key }: Found, outcome: Outcome): Promise<void> {
    const { done = "keep", failed = "keep" } = this.#source;
    return dispose(path, outcome === "answered" ? done : failed, tagOf(key));
  }

  async #scanAgainAndAgain(): Promise<void> {
    const { scanMs = FEEDER_DEFAULTS.scanMs } = this.#source;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        this.#done ??= await DoneFiles.open(join(this.#ports.stateDir, `${this.#source.name}.done`));
        await this.#scan(this.#done);
      } catch (error) {
        this.#ports.trouble(
          new MusterError("source.unreachable", (error as Error).message, { cause: error }),
        );
      }
      await sleep(scanMs, undefined, { signal }).catch(() => {});
    }
  }

  async #scan(done: DoneFiles): Promise<void> {
    const { settleMs = FEEDER_DEFAULTS.settleMs } = this.#source;
    const files = await list(this.#watched);
    const present = new Set(files.map(({ key }) => key));
    for (const key of this.#seen.keys()) if (!present.has(key)) this.#seen.delete(key);
    const now = this.#ports.monotonic();
    for (const file of files) {
      if (this.#taken.has(file.key)) continue;
      const outcome = done.get(file.key);
      if (outcome !== undefined) {
        // A cut came between noting it and doing with it what the rule says.
        await this.#dispose(file, outcome);
        continue;
      }
      const since = this.#seen.get(file.key) ?? now;
      this.#seen.set(file.key, since);
      if (now - since < settleMs || this.#ready.length >= MAX_READY) continue;
      this.#seen.delete(file.key);
      this.#taken.set(file.key, file);
      this.#ready.push(file);
    }
    await done.forgetAllBut(present);
    if (this.#ready.length > 0) this.#wake?.();
  }

  #idOf(key: string): string {
    return `${this.#source.name}-${tagOf(key)}`;
  }
}

const tagOf = (key: string): string => createHash("sha256").update(key).digest("hex").slice(0, 24);
