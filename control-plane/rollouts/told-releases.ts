import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { Database } from "better-sqlite3";

/** Digests of the releases that a device was told, the newest first. */
export type ToldReleases = (device: string, most: number) => string[];

/**
 * Releases that rollouts told a device, and those that they sent it back to, by what the control plane itself wrote: what
 * a device says of itself is no part of it.
 * @param reader the connection to control.db that only reads
 */
export function toldReleases(reader: Database): ToldReleases {
  const told = reader
    .prepare<[{ device: string; most: number }], string>(
      `SELECT release FROM (
         SELECT r.release AS release, d.told_at AS at FROM rollout_devices d JOIN rollouts r ON r.id = d.rollout
         WHERE d.device = @device AND d.told_at IS NOT NULL
         UNION ALL
         SELECT previous AS release, returned_at AS at FROM rollout_devices
         WHERE device = @device AND returned_at IS NOT NULL AND previous IS NOT NULL
       ) ORDER BY at DESC LIMIT @most`,
    )
    .pluck();
  return (device, most) => [
    ...new Set(told.all({ device, most }).map((text) => (JSON.parse(text) as ReleaseRef).digest)),
  ];
}
