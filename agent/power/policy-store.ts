import type { PowerPolicyPayload } from "@muster/shared/protocol/power-policy";
import type { Database } from "better-sqlite3";
import { migrate } from "../storage/database.ts";

const POLICY_TABLES = [
  `CREATE TABLE power_policy (
     id INTEGER PRIMARY KEY CHECK (id = 1), generation INTEGER NOT NULL, payload TEXT NOT NULL,
     accepted_at INTEGER NOT NULL
   ) STRICT`,
];

/** The newest power policy that the device accepted, so that nothing older is ever accepted again. */
export class PolicyStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
    migrate(database, "power-policy", POLICY_TABLES);
  }

  newest(): PowerPolicyPayload | null {
    const text = this.#database
      .prepare<[], string>("SELECT payload FROM power_policy WHERE id = 1")
      .pluck()
      .get();
    return text === undefined ? null : (JSON.parse(text) as PowerPolicyPayload);
  }

  accept(payload: PowerPolicyPayload, at: number): void {
    this.#database
      .prepare(
        "INSERT OR REPLACE INTO power_policy (id, generation, payload, accepted_at) VALUES (1, ?, ?, ?)",
      )
      .run(payload.generation, JSON.stringify(payload), at);
  }
}
