import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Figure, isQuick, printFigures } from "../figures.ts";
import { killedRunner } from "./killed.ts";
import { buildModel, CONV, TINY, WIDE } from "./models.ts";
import { precisions } from "./precision.ts";
import { heavyModel, oneClient, tinyModel } from "./serving.ts";
import { shadowed } from "./shadow.ts";
import { stream } from "./stream.ts";

/**
 * The inference runtime beside bare onnxruntime-node and a bare HTTP server, on the same machine by turns. Clients
 * send binary tensors over a Unix socket to runners that a real supervisor started.
 */
const SECONDS = isQuick ? 0.5 : 4;
const TRIALS = isQuick ? 1 : 5;
const STREAM_SECONDS = isQuick ? 2 : 30;
const KILL_SECONDS = isQuick ? 3 : 60;

const directory = await mkdtemp(join(tmpdir(), "muster-bench-inference-"));
try {
  const [conv, tiny, wide] = [await buildModel(CONV), await buildModel(TINY), await buildModel(WIDE)];
  const measured = { directory, seconds: SECONDS, trials: TRIALS };
  const figures: Figure[] = [
    ...(await oneClient(conv.int8, measured)),
    ...(await tinyModel(tiny.int8, measured)),
    ...(await heavyModel(conv.int8, measured)),
    ...(await stream(conv.int8, STREAM_SECONDS)),
    ...(await shadowed(conv.int8, measured)),
    ...(await killedRunner(tiny.int8, KILL_SECONDS)),
    ...(await precisions(conv, measured)),
    ...(await precisions(wide, measured)),
  ];
  printFigures("inference", figures);
} finally {
  await rm(directory, { recursive: true, force: true });
}
