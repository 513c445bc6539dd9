import { basename, dirname } from "node:path";

export interface Watched {
  readonly folder: string;
  /** Whether a file of this name is taken. Hidden ones never are: they are what is still being written. */
  takes(name: string): boolean;
}

/** A folder, or a folder with a pattern as the last part: `*` stands for any characters, `?` for one. */
export function watched(path: string): Watched {
  const last = basename(path);
  if (!/[*?]/.test(last)) return { folder: path, takes: isVisible };
  const escaped = last
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  const pattern = new RegExp(`^${escaped}$`, "s");
  return { folder: dirname(path), takes: (name) => isVisible(name) && pattern.test(name) };
}

const isVisible = (name: string): boolean => !name.startsWith(".");
