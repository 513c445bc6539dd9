import { MusterError } from "@muster/shared/errors";
import type { ControlTransaction } from "../storage/transaction.ts";
import { readBusy } from "./candidates.ts";
import type { Candidate } from "./selection.ts";
import type { WaveMember } from "./waves.ts";

/** @throws MusterError `request.conflict` where another rollout under way has a device of this one */
export async function requireFree(tx: ControlTransaction, id: string): Promise<void> {
  const busy = await readBusy(tx);
  const devices = await tx.selectFrom("rollout_devices").select("device").where("rollout", "=", id).execute();
  for (const { device } of devices) {
    const other = busy.get(device);
    if (other !== undefined && other !== id)
      throw new MusterError(
        "request.conflict",
        `Rollout ${other} is changing device ${device}: wait for its end, or abort it first.`,
      );
  }
}

/** Stores the targets of a rollout that starts. */
export async function insertMembers(
  tx: ControlTransaction,
  rollout: string,
  members: readonly WaveMember<Candidate>[],
): Promise<void> {
  for (const { target, wave, position } of members)
    await tx
      .insertInto("rollout_devices")
      .values({
        rollout,
        device: target.id,
        site: target.site,
        hardware_class: target.hardwareClass,
        wave,
        position,
        status: "waiting",
        previous: null,
        told_generation: null,
        told_at: null,
        reached_at: null,
        return_generation: null,
        returned_at: null,
        outcome: null,
        failure: null,
      })
      .execute();
}
