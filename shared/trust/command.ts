import { MusterError } from "../errors.ts";
import type { Command, CommandPayload } from "../protocol/command.ts";
import type { SigningKey } from "./ed25519.ts";
import { isSignedBy, signDocument, type TrustedKeys } from "./signed-document.ts";

const DOMAIN = "muster/command/v1";

export const signCommand = (payload: CommandPayload, key: SigningKey): Command =>
  signDocument(DOMAIN, payload, key);

/** What the device holds against a command. */
export interface CommandContext {
  device: string;
  keys: TrustedKeys;
  /** Milliseconds since the epoch. */
  now: number;
}

/**
 * Checks signature, audience and expiry, in this order. Whether the id was carried out before is the device's to know.
 * @throws MusterError of the `command.` family
 */
export function verifyCommand(command: Command, context: CommandContext): void {
  const { audience, notAfter } = command.payload;
  if (!isSignedBy(DOMAIN, command, context.keys)) throw new MusterError("command.signature-invalid");
  if (audience !== context.device)
    throw new MusterError("command.wrong-audience", `The command is for ${audience}.`);
  if (notAfter <= context.now)
    throw new MusterError("command.expired", `The command ended at ${new Date(notAfter).toISOString()}.`);
}
