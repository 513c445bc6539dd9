import { MusterError } from "@muster/shared/errors";
import { Labels } from "@muster/shared/protocol/primitives";
import { validate } from "@muster/shared/protocol/validate";
import type { Kysely } from "kysely";
import { isDuplicate } from "../storage/errors.ts";
import type { ControlTables } from "../storage/tables/index.ts";
import { inTransaction } from "../storage/transaction.ts";

/** What an operator may change of a device. A label of null is taken away; labels not named stay. */
export interface DeviceChange {
  name?: string;
  labels?: Record<string, string | null>;
}

/**
 * Changes name and labels of a device by its id.
 * @throws MusterError `request.conflict` for a name that its site has already, `request.invalid` for more labels
 * than a device may have
 */
export async function changeDevice(
  db: Kysely<ControlTables>,
  id: string,
  change: DeviceChange,
): Promise<void> {
  await inTransaction(db, async (tx) => {
    const device = await tx
      .selectFrom("devices")
      .select(["name", "site", "labels"])
      .where("id", "=", id)
      .executeTakeFirst();
    if (!device) throw new MusterError("request.not-found", `There is no device ${id}.`);
    const merged = { ...(JSON.parse(device.labels) as Labels), ...change.labels };
    const labels = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null));
    const name = change.name ?? device.name;
    try {
      await tx
        .updateTable("devices")
        .set({ name, labels: JSON.stringify(validate(Labels, labels, "request.invalid")) })
        .where("id", "=", id)
        .execute();
    } catch (error) {
      if (!isDuplicate(error)) throw error;
      throw new MusterError("request.conflict", `Site ${device.site} has a device named ${name} already.`);
    }
  });
}
