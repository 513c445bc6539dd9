import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { asMusterError, MusterError } from "@muster/shared/errors";
import { addressOf, RESOURCE_MANAGER, type TpmAddress } from "./address.ts";
import { Channel } from "./channel.ts";
import type { Tpm } from "./face.ts";
import { HardwareTpm } from "./hardware-tpm.ts";
import { DeviceTransport } from "./transport/device.ts";
import { SocketTransport } from "./transport/socket.ts";

export type { Tpm, TpmQuote } from "./face.ts";

/** Longest wait for the answer to a command that makes no key, milliseconds. */
const TIMEOUT_MS = 30_000;

/** What a caller may choose; times in milliseconds. */
export interface OpenTpmOptions {
  /** Told where `auto` finds a TPM that it cannot use. */
  readonly notice?: (error: MusterError) => void;
  /** Longest wait for one answer; six times as long where a key is made. */
  readonly timeoutMs?: number;
  /** Where `auto` looks. */
  readonly device?: string;
  readonly random?: (bytes: number) => Buffer;
  /** Waits, milliseconds, before a TPM that was busy is asked again. */
  readonly pause?: (ms: number) => Promise<unknown>;
}

/**
 * @param setting `auto`, `off`, `device:PATH`, `swtpm:HOST:PORT` or `swtpm:unix:PATH`
 * @returns undefined for `off`, and for `auto` where there is none that can be used
 * @throws MusterError `settings.invalid`; of the family `tpm.` where one was named that cannot be used
 */
export async function openTpm(setting: string, options: OpenTpmOptions = {}): Promise<Tpm | undefined> {
  const address = addressOf(setting);
  if (address === "off") return undefined;
  if (address !== "auto") return open(address, options);
  const path = options.device ?? RESOURCE_MANAGER;
  try {
    await access(path, constants.F_OK);
  } catch {
    return undefined;
  }
  try {
    return await open({ kind: "device", path }, options);
  } catch (error) {
    const { code, message } = asMusterError(error, "tpm.unavailable");
    options.notice?.(
      new MusterError(code, `There is a TPM, and it is not used: ${message}`, { cause: error }),
    );
    return undefined;
  }
}

async function open(address: TpmAddress, options: OpenTpmOptions): Promise<Tpm> {
  const transport =
    address.kind === "device" ? new DeviceTransport(address.path) : new SocketTransport(address);
  const channel = new Channel(transport, options.timeoutMs ?? TIMEOUT_MS, options.pause ?? setTimeout);
  const tpm = new HardwareTpm(channel, options.random ?? randomBytes);
  try {
    await tpm.pcrBanks();
    return tpm;
  } catch (error) {
    await tpm.close();
    throw error;
  }
}
