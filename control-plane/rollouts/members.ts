import { MusterError } from "@muster/shared/errors";
import type { ControlTransaction } from "../storage/transaction.ts";
import { readBusy } from "./candidates.ts";
import type { Candidate } from "./selection.ts";
import type { WaveMember } from "./waves.ts";

/** @throws MusterError `request.conflict` where another rollout under way has a device of this one */
export async function requireFree(tx: ControlTransaction, id: string): Promise<void> {
  const busy = await readBusy(tx);
  const devices = await tx
    .selectFrom("rollout_devices")
    .innerJoin("devices", "devices.id", "rollout_devices.device")
    .select(["device", "devices.name", "devices.site"])
    .where("rollout", "=", id)
    .execute();
  for (const { device, name, site } of devices) {
    const other = busy.get(device);
    if (other !== undefined && other !== id)
      throw new MusterError(
        "request.conflict",
        `Rollout ${other} is changing device ${name} at ${site}: wait for its end, or abort it first.`,
      );
  }
}

/** Rows of one statement: 15 values each, and SQLite takes 32 766 values. */
const ROWS_PER_INSERT = 500;

/** Stores the targets of a rollout that starts. */
export async function insertMembers(
  tx: ControlTransaction,
  rollout: string,
  members: readonly WaveMember<Candidate>[],
): Promise<void> {
  for (let first = 0; first < members.length; first += ROWS_PER_INSERT)
    await tx
      .insertInto("rollout_devices")
      .values(
        members.slice(first, first + ROWS_PER_INSERT).map(({ target, wave, position }) => ({
          rollout,
          device: target.id,
          site: target.site,
          hardware_class: target.hardwareClass,
          wave,
          position,
          status: "waiting" as const,
          previous: null,
          told_generation: null,
          told_at: null,
          reached_at: null,
          return_generation: null,
          returned_at: null,
          outcome: null,
          failure: null,
        })),
      )
      .execute();
}
