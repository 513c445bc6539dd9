import { asMusterError, MusterError } from "@muster/shared/errors";
import { Command } from "@muster/shared/protocol/command";
import { parseJson } from "@muster/shared/protocol/validate";
import { MAX_PAYLOAD_BYTES } from "@muster/shared/protocol/wire";
import { verifyCommand } from "@muster/shared/trust/command";
import type { TrustedKeys } from "@muster/shared/trust/signed-document";
import type { Database } from "better-sqlite3";
import { migrate } from "../storage/database.ts";

const TABLES = [
  `CREATE TABLE commands (
     id TEXT PRIMARY KEY, kind TEXT NOT NULL, taken_at INTEGER NOT NULL, not_after INTEGER NOT NULL
   ) STRICT`,
];

/** Ids remembered; a command ends after a month, and a device gets few. */
const MOST_REMEMBERED = 1_000;

export interface CommandPorts {
  device: string;
  database: Database;
  /** Keys of the trust root in force. */
  keysFor: (keyId: string) => Promise<TrustedKeys>;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Carries out a wipe; gets the id of the command. */
  wipe: (command: string) => Promise<void>;
  /** A command was not taken. */
  refused: (error: MusterError) => void;
}

/** What the device is told to do once: checked, remembered and then carried out, in this order. */
export class Commands {
  readonly #ports: CommandPorts;

  constructor(ports: CommandPorts) {
    this.#ports = ports;
    migrate(ports.database, "commands", TABLES);
  }

  /** Carries out what a power cut came between: a wipe that is done leaves no memory of itself. */
  async resume(): Promise<void> {
    const begun = this.#ports.database
      .prepare<[], string>("SELECT id FROM commands WHERE kind = 'wipe' ORDER BY rowid DESC LIMIT 1")
      .pluck()
      .get();
    if (begun !== undefined) await this.#ports.wipe(begun);
  }

  /** Takes a command as it came; one that it has taken before is left alone, since the broker repeats them. */
  async offer(received: Uint8Array): Promise<void> {
    try {
      const { id } = await this.#take(received);
      await this.#ports.wipe(id);
    } catch (error) {
      const coded = asMusterError(error);
      if (coded.code !== "command.replayed") this.#ports.refused(coded);
    }
  }

  async #take(received: Uint8Array): Promise<Command["payload"]> {
    const { device, keysFor, now } = this.#ports;
    if (received.byteLength > MAX_PAYLOAD_BYTES)
      throw new MusterError("wire.oversized", `The command has ${received.byteLength} bytes.`);
    const command = parseJson(Command, new TextDecoder().decode(received), "wire.malformed") as Command;
    verifyCommand(command, { device, keys: await keysFor(command.keyId), now: now() });
    // Before it is carried out: whatever happens on the way, it does not happen twice.
    if (!this.#remember(command.payload)) throw new MusterError("command.replayed");
    return command.payload;
  }

  #remember({ id, kind, notAfter }: Command["payload"]): boolean {
    const { database, now } = this.#ports;
    const { changes } = database
      .prepare("INSERT OR IGNORE INTO commands (id, kind, taken_at, not_after) VALUES (?, ?, ?, ?)")
      .run(id, kind, now(), notAfter);
    database
      .prepare("DELETE FROM commands WHERE rowid <= (SELECT max(rowid) FROM commands) - ?")
      .run(MOST_REMEMBERED);
    return changes > 0;
  }
}
