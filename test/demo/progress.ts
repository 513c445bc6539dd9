import type { RolloutFacts } from "./facts.ts";

const SITUATIONS = ["succeeded", "pending", "offline", "silent", "failed", "returning", "returned"] as const;

/** One line on a rollout: state, wave, a bar with a cell per device, and the counts that are not zero. */
export function progressLine(rollout: RolloutFacts): string {
  const { counts, state, wave, waves } = rollout;
  const cells: Record<string, string> = { succeeded: "█", returned: "↩", returning: "↩", failed: "✗" };
  const bar = [...SITUATIONS, "waiting" as const]
    .map((situation) =>
      (cells[situation] ?? (situation === "waiting" ? "·" : "▒")).repeat(counts[situation] ?? 0),
    )
    .join("");
  const told = SITUATIONS.filter((situation) => counts[situation]).map(
    (situation) => `${counts[situation]} ${situation}`,
  );
  const place = wave === null ? "" : ` wave ${wave} of ${waves}`;
  return `${state.padEnd(9)}${place}  ${bar}  ${told.join(", ")}`;
}
