import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ReleaseSpec } from "@muster/shared/protocol/release-spec";
import type { RunningComponent } from "@muster/shared/protocol/state";

/** Writes a release spec with one config component and its file. Answers the spec file and what then runs. */
export async function writeConfigRelease(
  dir: string,
  version: string,
  name = "line-config",
): Promise<{ spec: string; components: RunningComponent[] }> {
  await mkdir(dir, { recursive: true });
  const document = JSON.stringify({ threshold: 0.5, version });
  const file = `settings-${version}.json`;
  await writeFile(join(dir, file), document);
  const release: ReleaseSpec = {
    schema: "muster.release-spec/1",
    name,
    version,
    components: [{ type: "config", name: "settings", version, document: file }],
    probation: {
      minSeconds: 0,
      deadlineSeconds: 60,
      minInferences: 0,
      maxErrorRate: 0,
      maxP95Ms: 100,
      maxCrashes: 0,
    },
  };
  const spec = join(dir, `release-${version}.json`);
  await writeFile(spec, JSON.stringify(release));
  const digest: `sha256:${string}` = `sha256:${createHash("sha256").update(document).digest("hex")}`;
  return { spec, components: [{ type: "config", name: "settings", version, digest }] };
}
