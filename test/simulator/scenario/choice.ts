import { pick, seededRandom } from "../../models/training/random.ts";
import type { DeviceProfile } from "../device/profile.ts";
import type { DeviceChoice } from "./schema.ts";

/** As many of the values, drawn without repetition by the seed. */
function draw<T>(values: readonly T[], count: number, seed: number): T[] {
  const random = seededRandom(seed);
  const left = [...values];
  const drawn: T[] = [];
  while (drawn.length < count && left.length > 0) drawn.push(left.splice(pick(random, left.length), 1)[0]!);
  return drawn;
}

/**
 * Devices that a choice means, in fleet order.
 * @param seed the same seed gives the same devices; different events of a run should not share one
 */
export function choose(
  profiles: readonly DeviceProfile[],
  choice: DeviceChoice = {},
  seed: number,
): DeviceProfile[] {
  const { site, sites, class: hardwareClass, label, percent, count } = choice;
  let chosen = profiles.filter((profile) => {
    const [key = "", value] = label?.split("=") ?? [];
    return (
      (site === undefined || profile.site === site || profile.site.startsWith(`${site}/`)) &&
      (hardwareClass === undefined || profile.hardwareClass === hardwareClass) &&
      (label === undefined || profile.labels[key] === value)
    );
  });
  if (sites !== undefined) {
    const picked = new Set(draw([...new Set(chosen.map((profile) => profile.site))], sites, seed));
    chosen = chosen.filter((profile) => picked.has(profile.site));
  }
  const shares = percent === undefined ? chosen.length : Math.ceil((chosen.length * percent) / 100);
  const most = Math.min(shares, count ?? chosen.length);
  if (most >= chosen.length) return chosen;
  return draw(chosen, most, seed).sort((a, b) => a.index - b.index);
}
