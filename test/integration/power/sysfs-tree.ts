import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A directory on disk that looks like `/sys`. */
export class SysfsTree {
  readonly root = mkdtempSync(join(tmpdir(), "muster-sysfs-"));

  /** Writes files by their paths below the root; undefined removes one. */
  set(files: Record<string, string | number | undefined>): this {
    for (const [path, content] of Object.entries(files)) {
      const file = join(this.root, path);
      if (content === undefined) rmSync(file, { force: true, recursive: true });
      else {
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, `${content}\n`);
      }
    }
    return this;
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
