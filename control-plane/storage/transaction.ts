import type { Kysely, Transaction } from "kysely";
import { asStorageError } from "./errors.ts";
import type { ControlTables } from "./tables/index.ts";

export type ControlTransaction = Transaction<ControlTables>;

/** Runs `work` in one transaction of control.db: all of it or nothing. @throws MusterError `storage.full` and others */
export async function inTransaction<T>(
  db: Kysely<ControlTables>,
  work: (tx: ControlTransaction) => Promise<T>,
): Promise<T> {
  try {
    return await db.transaction().execute(work);
  } catch (error) {
    throw asStorageError(error);
  }
}
