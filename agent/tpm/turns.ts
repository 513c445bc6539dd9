import { asMusterError, MusterError } from "@muster/shared/errors";
import { TPM_SU } from "@muster/shared/tpm/constants";
import type { Channel } from "./channel.ts";
import { handlesBetween } from "./commands/capability.ts";
import { flushContext, startup } from "./commands/session.ts";
import type { KeySlots } from "./keys/key-slots.ts";
import { isRefusal } from "./refusal.ts";

/** Transient objects, and sessions of both kinds (part 2, 7.2). */
const LOADED = [
  { first: 0x80000000, last: 0x80ffffff },
  { first: 0x02000000, last: 0x03ffffff },
] as const;

const NO_ROOM = ["OBJECT_MEMORY", "OBJECT_HANDLES", "SESSION_MEMORY", "SESSION_HANDLES", "MEMORY"] as const;
const LOST = ["HANDLE", "REFERENCE_H0"] as const;

/** Calls that may wait for the TPM: whoever brings more is told so. */
const MOST_WAITING = 256;

/** Longest wait of `close` for what is under way, milliseconds. */
const CLOSE_PATIENCE_MS = 3000;

/** Lets one call at a time at the TPM, with a connection that stands and room for what it loads. */
export class Turns {
  readonly #channel: Channel;
  readonly #slots: KeySlots;
  #connection = 0;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(channel: Channel, slots: KeySlots) {
    this.#channel = channel;
    this.#slots = slots;
  }

  /** One after the other, in the order of the calls. @throws MusterError of the family `tpm.` */
  run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(new MusterError("tpm.unavailable", "The TPM was closed."));
    if (this.#waiting >= MOST_WAITING)
      return Promise.reject(new MusterError("tpm.busy", `${MOST_WAITING} calls wait for the TPM already.`));
    this.#waiting++;
    const result = this.#last
      .then(() => this.#attempt(work))
      .catch((error: unknown) => {
        throw asMusterError(error, "tpm.malformed");
      })
      .finally(() => this.#waiting--);
    this.#last = result.catch(() => {});
    return result;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // Who stops the agent does not wait for a TPM that hangs: what stays loaded goes with the connection.
    let late: NodeJS.Timeout | undefined;
    const patience = new Promise((resolve) => {
      late = setTimeout(resolve, CLOSE_PATIENCE_MS);
    });
    await Promise.race([this.#last.then(() => this.#slots.flush()), patience]);
    clearTimeout(late);
    await this.#channel.transport.close();
  }

  /** Once more where the TPM lost what was loaded, or has no room beside it. */
  async #attempt<T>(work: () => Promise<T>): Promise<T> {
    await this.#connect();
    try {
      return await work();
    } catch (error) {
      if (!isRefusal(error, ...NO_ROOM, ...LOST)) throw error;
      await this.#slots.flush();
      if (!this.#channel.transport.isManaged && isRefusal(error, ...NO_ROOM)) await this.#clearUp();
      return work();
    }
  }

  /** Over a new connection nothing of ours is loaded any more; without the kernel, what is left there is nobody's. */
  async #connect(): Promise<void> {
    const { transport } = this.#channel;
    await this.#channel.connect();
    if (transport.connection === this.#connection) return;
    this.#slots.forget();
    if (!transport.isManaged) await this.#clearUp();
    this.#connection = transport.connection;
  }

  async #clearUp(): Promise<void> {
    try {
      await startup(this.#channel, TPM_SU.CLEAR);
    } catch (error) {
      if (!isRefusal(error, "INITIALIZE")) throw error;
    }
    for (const { first, last } of LOADED)
      for (const handle of await handlesBetween(this.#channel, first, last))
        await flushContext(this.#channel, handle);
  }
}
