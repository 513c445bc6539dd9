import type { MusterError } from "@muster/shared/errors";
import { openTpm, type Tpm } from "./tpm/tpm.ts";

/**
 * The TPM of the box for all who need it: it takes one command at a time, and some take one connection. Opened when it is
 * needed first, since a chip may take seconds for it.
 */
export class BoxTpm {
  readonly #setting: string;
  readonly #notice: (error: MusterError) => void;
  #opened: Promise<Tpm | undefined> | undefined;
  #isOpening = false;

  /**
   * @param setting as for `openTpm`
   * @param notice told where `auto` finds a TPM that it cannot use
   */
  constructor(setting: string, notice: (error: MusterError) => void) {
    this.#setting = setting;
    this.#notice = notice;
  }

  /** Undefined where the box has none that can be used. What could not be opened is tried again. @throws as `openTpm` */
  async get(): Promise<Tpm | undefined> {
    let isUnusable = false;
    this.#opened ??= openTpm(this.#setting, {
      notice: (error) => {
        isUnusable = true;
        this.#notice(error);
      },
    });
    this.#isOpening = true;
    try {
      const tpm = await this.#opened;
      if (isUnusable) this.#opened = undefined;
      return tpm;
    } catch (error) {
      this.#opened = undefined;
      throw error;
    } finally {
      this.#isOpening = false;
    }
  }

  /** One that is still being opened is closed when it is: who stops the agent does not wait for a chip that hangs. */
  async close(): Promise<void> {
    const opening = this.#opened?.catch(() => undefined);
    this.#opened = undefined;
    const closing = opening?.then((tpm) => tpm?.close());
    if (!this.#isOpening) await closing;
  }
}
