import { MusterError } from "@muster/shared/errors";
import { enrollBox, identityOf, openFacts, socketOf } from "../box.ts";
import { refuseDecommissioned } from "../commands/decommissioned.ts";
import { loadBoxFile } from "../config/box-file.ts";
import type { Settings } from "../config/settings.ts";
import { isAnswered } from "../local-api/ask.ts";
import { ownDirectory } from "../storage/files.ts";
import { openTpm, type Tpm } from "../tpm/tpm.ts";
import { EXIT } from "./exit-codes.ts";
import type { Terminal } from "./terminal.ts";

/** Enrolls the box and ends. @returns the exit code @throws MusterError as `Identity.enroll` */
export async function enroll(settings: Settings, terminal: Terminal): Promise<number> {
  const { server, token } = settings;
  if (server === null || token === null)
    throw new MusterError("settings.invalid", "--server and --token are needed.");
  await ownDirectory(settings.data);
  await refuseDecommissioned(settings.data);
  const tpm = await openTpm(settings.tpm, {
    notice: ({ message }) => terminal.err(`The TPM of this box cannot be used: ${message}\n`),
  });
  try {
    return await enrollWith(settings, { server, token }, tpm, terminal);
  } finally {
    await tpm?.close();
  }
}

async function enrollWith(
  settings: Settings,
  order: { server: string; token: string },
  tpm: Tpm | undefined,
  terminal: Terminal,
): Promise<number> {
  const identity = await identityOf(settings, tpm);
  if (identity.needsEnrollment(Date.now()) && (await isAnswered(socketOf(settings))))
    throw new MusterError("agent.running", `An agent works on ${settings.data}; it enrolls by itself.`);
  const facts = await openFacts(settings, loadBoxFile(settings.data), () => undefined);
  const isNew = await enrollBox(settings, order, identity, facts);
  const assurance = identity.enrollment?.assurance ?? "software";
  terminal.err(isNew ? `The device is enrolled: ${assurance}.\n` : "The device was enrolled already.\n");
  terminal.out(`${identity.keys.device}\n`);
  return EXIT.ok;
}
