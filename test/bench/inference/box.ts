import { join } from "node:path";
import type { ModelDeployment } from "@muster/agent/inference/deployment";
import type { InferenceSettings } from "@muster/agent/inference/settings";
import { BenchBox } from "../../integration/runner/bench-box.ts";
import type { BenchModel } from "./models.ts";

export interface ServedBox {
  readonly box: BenchBox;
  readonly socketPath: string;
  close(): Promise<void>;
}

/** A supervisor with runners that serve these models on a Unix socket, with the settings of a device. */
export async function serve(
  models: readonly BenchModel[],
  more: Partial<ModelDeployment> = {},
  settings: Partial<InferenceSettings> = {},
): Promise<ServedBox> {
  const box = await BenchBox.create({ settings: { port: null, ...settings } });
  const deployed = await Promise.all(
    models.map(({ name, bytes, golden }) => box.model(name, bytes, [...golden], more)),
  );
  await box.serve(deployed);
  return { box, socketPath: join(box.directory, "i.sock"), close: () => box.close() };
}
