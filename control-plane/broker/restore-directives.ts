import type { Stores } from "../storage/database.ts";
import type { Broker } from "./broker.ts";

/**
 * Publishes the newest directive of every active device, retained; one in quarantine gets nothing. The broker keeps retained messages in memory
 * only; the database is where directives live.
 */
export async function restoreDirectives(
  stores: Pick<Stores, "control">,
  broker: Pick<Broker, "publishDown">,
): Promise<void> {
  const rows = await stores.control
    .selectFrom("devices")
    .select(["id", "directive"])
    .where("status", "=", "active")
    .where("directive", "is not", null)
    .execute();
  for (const { id, directive } of rows)
    if (directive !== null) await broker.publishDown(id, "desired", directive, { retain: true });
}
