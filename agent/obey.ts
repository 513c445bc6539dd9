import { asMusterError, type MusterError } from "@muster/shared/errors";
import type { Box } from "./box.ts";
import { Commands } from "./commands/commands.ts";
import { wipe } from "./commands/wipe.ts";
import type { Identity } from "./identity/identity.ts";
import type { Local } from "./local.ts";
import type { Log } from "./log.ts";

/** A control plane that is there stores an event within that time. */
const PATIENCE_MS = 10_000;

/** Takes commands of the control plane. @param end ends the agent, told why */
export function obey(
  box: Box,
  identity: Identity,
  { engine }: Local,
  log: Log,
  end: (reason: MusterError) => void,
): Commands {
  const { settings, database, outbox, notices } = box;
  return new Commands({
    device: identity.device,
    database,
    keysFor: (keyId) => engine.keysFor(keyId),
    now: Date.now,
    wipe: (command) =>
      wipe(command, {
        dataDir: settings.data,
        outbox,
        log: log.child({ part: "commands" }),
        now: Date.now,
        patienceMs: PATIENCE_MS,
        end,
      }).catch((error: unknown) => end(asMusterError(error))),
    refused: ({ code, message }) => {
      log.warn({ code }, `a command was not taken: ${message}`);
      notices.note(code, `A command was not taken: ${message}`);
    },
  });
}
