import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { asMusterError, MusterError } from "@muster/shared/errors";
import { RESOURCE_MANAGER } from "../address.ts";
import { answerLength, MOST_ANSWER_BYTES } from "./frame.ts";
import type { Transport } from "./transport.ts";

/**
 * A character device of the kernel. It is read and written in threads, which nobody can interrupt: after a command
 * that took too long, the device is left alone until the kernel is through with it.
 */
export class DeviceTransport implements Transport {
  readonly where: string;
  readonly isManaged: boolean;
  connection = 0;
  #handle: FileHandle | undefined;
  #stuck = false;

  constructor(path: string) {
    this.where = path;
    this.isManaged = path.startsWith(RESOURCE_MANAGER.slice(0, -1));
  }

  async connect(): Promise<void> {
    if (this.#stuck)
      throw new MusterError("tpm.timeout", `${this.where} is busy with a command that took too long.`);
    if (this.#handle) return;
    this.#handle = await openDevice(this.where);
    this.connection++;
  }

  async exchange(command: Buffer, timeoutMs: number): Promise<Buffer> {
    await this.connect();
    const handle = this.#handle;
    if (!handle) throw new MusterError("tpm.unavailable", `${this.where} was closed.`);
    let late: NodeJS.Timeout | undefined;
    const running = talk(handle, command);
    try {
      return await Promise.race([
        running,
        new Promise<never>((_, reject) => {
          late = setTimeout(() => {
            this.#stuck = true;
            const seconds = timeoutMs / 1000;
            reject(new MusterError("tpm.timeout", `${this.where} was silent for ${seconds} s.`));
          }, timeoutMs);
        }),
      ]);
    } catch (error) {
      this.#handle = undefined;
      const isFree = () => {
        this.#stuck = false;
        return handle.close();
      };
      void running.then(isFree, isFree).catch(() => {});
      throw asMusterError(error, "tpm.unavailable");
    } finally {
      clearTimeout(late);
    }
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close().catch(() => {});
  }
}

/** Nothing is written to what is no device: a mistyped path may name a file of somebody. */
async function openDevice(path: string): Promise<FileHandle> {
  try {
    const handle = await open(path, constants.O_RDWR | constants.O_NOCTTY);
    if ((await handle.stat()).isCharacterDevice()) return handle;
    await handle.close();
  } catch (error) {
    throw asMusterError(error, "tpm.unavailable");
  }
  throw new MusterError("tpm.unavailable", `${path} is no device.`);
}

/** The kernel takes a command in one piece, and gives its answer from the next read on. */
async function talk(handle: FileHandle, command: Buffer): Promise<Buffer> {
  const { bytesWritten } = await handle.write(command, 0, command.length, null);
  if (bytesWritten !== command.length)
    throw new MusterError("tpm.unavailable", "The device took only a part of the command.");
  const answer = Buffer.alloc(MOST_ANSWER_BYTES + 1);
  let length = 0;
  do {
    const { bytesRead } = await handle.read(answer, length, answer.length - length, null);
    if (bytesRead === 0) throw new MusterError("tpm.malformed", "The answer of the device ends too early.");
    length += bytesRead;
  } while ((answerLength(answer.subarray(0, length)) ?? MOST_ANSWER_BYTES) > length);
  return answer.subarray(0, length);
}
