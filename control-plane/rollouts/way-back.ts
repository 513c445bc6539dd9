import type { ReleaseRef } from "@muster/shared/protocol/primitives";

/** A release that a rollout told a device, and what the device had before. */
export interface Installation {
  digest: string;
  previous: ReleaseRef | null;
  /** Generation of the directive that told it. */
  generation: number;
  /** True where the rollout that told it has been sent back since. */
  turnedBack: boolean;
}

/**
 * What a device goes back to: what it had before, or, as long as that is `bad`, what it had before that, by the
 * rollouts that told it; the same where the rollout that told it was itself sent back. Null is "run nothing". Where
 * nothing is known of the time before, it is `previous`.
 * @param told generation of the directive that took it away from `previous`
 */
export function wayBack(
  previous: ReleaseRef | null,
  told: number,
  installations: () => readonly Installation[],
  isBad: (digest: string) => boolean,
): ReleaseRef | null {
  let release = previous;
  let before = told;
  while (release !== null) {
    const { digest } = release;
    let by: Installation | undefined;
    for (const each of installations())
      if (each.digest === digest && each.generation < before && each.generation > (by?.generation ?? -1))
        by = each;
    if (!by?.turnedBack && !isBad(digest)) return release;
    if (!by) return previous;
    release = by.previous;
    before = by.generation;
  }
  return release;
}
