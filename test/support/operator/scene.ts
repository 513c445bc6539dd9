import { join } from "node:path";
import { parseJoinToken } from "@muster/shared/trust/join-token";
import { Box, type Taking } from "./box.ts";
import type { TestControlPlane } from "./control-plane.ts";
import { writeConfigRelease } from "./releases.ts";

/** A control plane with trust, three releases and boxes at three sites; release 3.0.0 fails on every box. */
export interface Scene {
  keys: string;
  boxes: Box[];
  close(): Promise<void>;
}

const BAD_VERSION = "3.0.0";

export async function setScene(plane: TestControlPlane, names: readonly string[]): Promise<Scene> {
  const keys = join(plane.home, "keys");
  await plane.json("keys", "init", "--keys", keys);
  await plane.json("trust", "init", "--keys", keys);
  const running = new Map<string, Taking>();
  for (const version of ["1.0.0", "2.0.0", BAD_VERSION]) {
    const { spec, components } = await writeConfigRelease(join(plane.home, "spec"), version);
    await plane.json("release", "create", "-f", spec, "--keys", keys);
    running.set(version, { components });
  }
  running.set(BAD_VERSION, {
    failure: { code: "config.invalid", message: "The settings name a camera that is not there." },
  });
  const boxes: Box[] = [];
  for (const name of names) {
    const [site = "", box = ""] = name.split(":");
    const { token } = await plane.json<{ token: string }>("token", "create", "--site", site);
    boxes.push(
      await Box.join(plane, box, parseJoinToken(token), ({ release }) =>
        release ? (running.get(release.version) ?? { never: true }) : { components: [] },
      ),
    );
  }
  return {
    keys,
    boxes,
    close: async () => {
      for (const box of boxes) await box.leave();
    },
  };
}
