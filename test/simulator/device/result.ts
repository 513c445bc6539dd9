import type { ResultBody } from "@muster/shared/protocol/messages";
import type { ReleaseManifest } from "@muster/shared/protocol/release";
import { pick, type Random } from "../../models/training/random.ts";
import { componentsOf } from "./components.ts";
import type { DeviceProfile } from "./profile.ts";

/** One stored inference of the first model of the release; undefined where it has none. */
export function resultBody(
  number: number,
  manifest: ReleaseManifest,
  profile: DeviceProfile,
  random: Random,
): ResultBody | undefined {
  const model = componentsOf(manifest, profile.hardware).find(({ type }) => type === "model");
  if (!model) return undefined;
  const { name, version, variant = "", digest, provider = "" } = model;
  return {
    id: `${profile.name}-${number}`,
    model: name,
    version,
    variant,
    digest,
    provider,
    latencyUs: Math.round(profile.latencyMs * 1000 * (0.7 + 0.6 * random())),
    ok: true,
    top: { index: pick(random, 4), score: Math.round((0.8 + 0.2 * random()) * 1000) / 1000 },
  };
}
