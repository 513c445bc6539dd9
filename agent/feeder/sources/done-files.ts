import { type FileHandle, open, readFile } from "node:fs/promises";
import { writeAtomically } from "../../storage/files.ts";
import type { Outcome } from "../pump.ts";

/** Entries of files that are gone, after which the list is written anew. */
const SLACK = 1000;

/**
 * Which files are settled, on disk: one line each, synced before the file is touched. A line that a power cut tore is
 * one that was not written.
 */
export class DoneFiles {
  readonly #path: string;
  readonly #done = new Map<string, Outcome>();
  #handle: FileHandle | undefined;

  private constructor(path: string) {
    this.#path = path;
  }

  /** @throws the system's error when the list cannot be read or written */
  static async open(path: string): Promise<DoneFiles> {
    const files = new DoneFiles(path);
    const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return "";
      throw error;
    });
    for (const line of text.split("\n")) {
      const entry = parse(line);
      if (entry) files.#done.set(...entry);
    }
    await files.#rewrite();
    return files;
  }

  get(key: string): Outcome | undefined {
    return this.#done.get(key);
  }

  /** Durable when it resolves. */
  async add(key: string, outcome: Outcome): Promise<void> {
    this.#done.set(key, outcome);
    await this.#handle?.appendFile(`${JSON.stringify([key, outcome])}\n`);
    await this.#handle?.datasync();
  }

  /** Forgets files that are there no more, once there are many of them. */
  async forgetAllBut(present: ReadonlySet<string>): Promise<void> {
    if (this.#done.size <= present.size + SLACK) return;
    for (const key of this.#done.keys()) if (!present.has(key)) this.#done.delete(key);
    await this.#rewrite();
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #rewrite(): Promise<void> {
    await this.#handle?.close();
    const lines = [...this.#done].map((entry) => `${JSON.stringify(entry)}\n`);
    await writeAtomically(this.#path, lines.join(""), 0o600);
    this.#handle = await open(this.#path, "a");
  }
}

function parse(line: string): [string, Outcome] | undefined {
  try {
    const [key, outcome] = JSON.parse(line) as [unknown, unknown];
    if (typeof key === "string" && (outcome === "answered" || outcome === "rejected")) return [key, outcome];
  } catch {
    // Torn by a power cut.
  }
  return undefined;
}
