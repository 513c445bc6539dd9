import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** Files of the kernel below one directory, `/sys` unless a test or a container has it elsewhere. */
export class Sysfs {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** Names in a directory in the order of their numbers; none where it cannot be read. */
  async list(directory: string, prefix = ""): Promise<string[]> {
    try {
      const names = await readdir(join(this.#root, directory));
      const wanted = names.filter((name) => name.startsWith(prefix));
      return wanted.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    } catch {
      return [];
    }
  }

  /** A sensor that is asleep, hidden or gone answers with an error: undefined. */
  async text(path: string): Promise<string | undefined> {
    try {
      return (await readFile(join(this.#root, path), "utf8")).trim();
    } catch {
      return undefined;
    }
  }

  /** Undefined for what is no number. */
  async number(path: string): Promise<number | undefined> {
    const text = await this.text(path);
    if (text === undefined || text === "") return undefined;
    const value = Number(text);
    return Number.isFinite(value) ? value : undefined;
  }
}
