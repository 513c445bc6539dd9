import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

/** Longest path of a Unix socket, bytes: `sun_path` without its final zero. */
export const MAX_SOCKET_PATH = 107;

/** Title of the process of a runner. */
const RUNNER_TITLE = "muster-runner";

const fits = (path: string): boolean => Buffer.byteLength(path) <= MAX_SOCKET_PATH;

/**
 * Paths of the sockets that each runner has beside the shared endpoint. They begin with that of the endpoint's own
 * socket. Windows has named pipes in their place.
 */
export class SocketPaths {
  readonly #base: string | null;
  /** Holds what siblings use when their paths would be too long otherwise. */
  #private: string | undefined;

  /** @param base what every path begins with; null where there is no such place */
  constructor(base: string | null) {
    this.#base = process.platform === "win32" ? pipeOf(base) : base;
  }

  /** Where applications reach the runners of a group without a hop, whichever process that is; null if too long. */
  group(id: string): string | null {
    if (this.#base === null) return null;
    const path = `${this.#base}.${id}`;
    return fits(path) || process.platform === "win32" ? path : null;
  }

  /** Where siblings reach one process. */
  runner(pid: number): string {
    const path = `${this.#base}.${pid}`;
    if (this.#base !== null && (fits(path) || process.platform === "win32")) return path;
    this.#private ??= mkdtempSync(join(tmpdir(), "muster-run-"));
    return join(this.#private, String(pid));
  }

  /**
   * Removes what runners of an agent that was killed left behind, and ends those that hang and did not see it go: they
   * would keep the endpoint for ever.
   */
  tidy(): void {
    if (this.#base === null || process.platform === "win32") return;
    const prefix = `${basename(this.#base)}.`;
    const folder = dirname(this.#base);
    for (const name of namesIn(folder)) {
      const pid = name.startsWith(prefix) ? name.slice(prefix.length) : "";
      if (!/^[1-9]\d*$/.test(pid)) continue;
      if (isOrphan(pid)) process.kill(Number(pid), "SIGKILL");
      else if (isAlive(Number(pid))) continue;
      rmSync(join(folder, name), { force: true });
    }
  }

  /** Removes what a runner that ended by force left behind. */
  forget(path: string): void {
    if (process.platform !== "win32") rmSync(path, { force: true });
  }

  close(): void {
    if (this.#private !== undefined) rmSync(this.#private, { recursive: true, force: true });
    this.#private = undefined;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** A runner whose agent is gone: no process of this program is its parent (Linux). */
function isOrphan(pid: string): boolean {
  try {
    if (!readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith(RUNNER_TITLE)) return false;
    const parent = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return programOf(parent ?? "") !== programOf("self");
  } catch {
    return false;
  }
}

function programOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return undefined;
  }
}

const pipeOf = (base: string | null): string =>
  `\\\\.\\pipe\\muster-${createHash("sha256")
    .update(base ?? String(process.pid))
    .digest("hex")
    .slice(0, 12)}`;
