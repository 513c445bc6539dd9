import { open, readFile } from "node:fs/promises";
import { writeDurably } from "../storage/durable-files.ts";
import { asStorageError } from "../storage/errors.ts";
import type { Checkpoint } from "./entry.ts";

/** Most checkpoints kept; beyond it half of the older ones go, every second one of them. */
const MOST = 4_096;

/** Checkpoints in a file beside the database, one JSON document a line: whoever cuts the one has to cut both. */
export class CheckpointFile {
  readonly #file: string;
  #kept: Checkpoint[];

  private constructor(file: string, kept: Checkpoint[]) {
    this.#file = file;
    this.#kept = kept;
  }

  /** A line that a power cut left half written is passed over. @throws MusterError `storage.broken` */
  static async open(file: string): Promise<CheckpointFile> {
    let text = "";
    try {
      text = await readFile(file, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw asStorageError(error, file);
    }
    return new CheckpointFile(file, text.split("\n").flatMap(checkpointIn));
  }

  /** Oldest first. */
  all(): readonly Checkpoint[] {
    return this.#kept;
  }

  newest(): Checkpoint | undefined {
    return this.#kept.at(-1);
  }

  /** Adds one and makes it last through a power cut. @throws MusterError `storage.full` */
  async add(checkpoint: Checkpoint): Promise<void> {
    this.#kept.push(checkpoint);
    if (this.#kept.length > MOST) {
      await this.#keep(this.#kept.filter((_, index) => index >= MOST / 2 || index % 2 === 0));
      return;
    }
    try {
      const file = await open(this.#file, "a", 0o600);
      try {
        await file.appendFile(`${JSON.stringify(checkpoint)}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (error) {
      this.#kept.pop();
      throw asStorageError(error, this.#file);
    }
  }

  /** Forgets those of entries that retention took away. */
  async forgetUntil(seq: number): Promise<void> {
    if (this.#kept.some((checkpoint) => checkpoint.seq <= seq))
      await this.#keep(this.#kept.filter((checkpoint) => checkpoint.seq > seq));
  }

  async #keep(checkpoints: Checkpoint[]): Promise<void> {
    await writeDurably(this.#file, checkpoints.map((each) => `${JSON.stringify(each)}\n`).join(""), 0o600);
    this.#kept = checkpoints;
  }
}

function checkpointIn(line: string): Checkpoint[] {
  if (line === "") return [];
  try {
    const { seq, digest, at, signature } = JSON.parse(line) as Checkpoint;
    return Number.isSafeInteger(seq) && typeof digest === "string" && typeof signature === "string"
      ? [{ seq, digest, at, signature }]
      : [];
  } catch {
    return [];
  }
}
