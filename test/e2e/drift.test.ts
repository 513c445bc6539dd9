import assert from "node:assert/strict";
import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { buildDemoModels } from "../models/build.ts";
import { seededRandom } from "../models/training/random.ts";
import { vibration } from "../models/vibration/family.ts";
import { Plant } from "../plant/plant.ts";
import { until } from "../plant/wait.ts";

const VERSION = "1.1.0";
const WINDOW = 512;
const ROWS = 8;
const SERVING = {
  monitor: { windowSeconds: 10, minSamples: 100, alpha: 0.01, minPsi: 0.05, alarmWindows: 2, ofWindows: 3 },
  capture: { belowConfidence: 0.6, keep: "inputs", maxPerDay: 400 },
};

const plant = new Plant({ MUSTER_EXAMPLE_LOOK_SECONDS: "0.2", MUSTER_EXAMPLE_KIB_PER_SECOND: "100000" });
const http = new Agent({ keepAlive: true, maxSockets: 1 });
const random = seededRandom(5);
let gain = 1;
let feeding = true;
let fed: Promise<void>;

interface Line {
  samples: number;
  windows: number;
  drifted: number;
  band: string;
  alarms: number;
}

/** The demo release with rules of its own for monitoring and capture. */
async function releaseWithRules(): Promise<string> {
  const demo = await buildDemoModels();
  const built = demo.families[0]!.releases.find(({ version }) => version === VERSION)!;
  const directory = join(plant.directory, "release");
  await cp(built.directory, directory, { recursive: true });
  const file = join(directory, "release.json");
  const spec = JSON.parse(await readFile(file, "utf8"));
  for (const component of spec.components) if (component.type === "model") component.serving = SERVING;
  await writeFile(file, JSON.stringify(spec));
  return file;
}

function send(): Promise<number> {
  const data = new Float32Array(ROWS * WINDOW);
  for (let row = 0; row < ROWS; row += 1)
    data.set(
      vibration.draw(random).data.map((value) => value * gain),
      row * WINDOW,
    );
  const header = JSON.stringify({
    inputs: [
      {
        name: "signal",
        datatype: "FP32",
        shape: [ROWS, 1, WINDOW],
        parameters: { binary_data_size: data.byteLength },
      },
    ],
  });
  const body = Buffer.concat([Buffer.from(header), Buffer.from(data.buffer)]);
  return new Promise((resolve) => {
    const call = request(
      {
        socketPath: plant.device.inferenceSocket,
        agent: http,
        method: "POST",
        path: "/v2/models/vibration/infer",
        headers: {
          "content-length": body.length,
          "inference-header-content-length": Buffer.byteLength(header),
        },
      },
      (response) => {
        response.resume();
        response.once("end", () => resolve(response.statusCode ?? 0));
      },
    );
    call.once("error", () => resolve(0));
    call.end(body);
  });
}

async function feed(): Promise<void> {
  while (feeding) {
    await send();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const line = async (): Promise<Line | undefined> =>
  (await plant.api().get<{ models: Line[] }>("/drift")).models[0];

before(async () => {
  await mkdir(plant.device.dataDirectory, { recursive: true, mode: 0o700 });
  await writeFile(
    join(plant.device.dataDirectory, "box.json"),
    JSON.stringify({ capture: { allow: true, maxMib: 4 } }),
  );
  await plant.start();
  await plant.operator().json("release", "create", "-f", await releaseWithRules(), "--keys", plant.keys);
  fed = feed();
  assert.equal((await plant.rollOut(VERSION)).state, "completed");
});
after(async () => {
  feeding = false;
  await fed;
  http.destroy();
  await plant.stop();
});

test("a stream like the calibration set raises nothing, one of another gain raises an alarm everywhere", async () => {
  const good = await until("two windows of the usual stream", 60_000, async () => {
    const found = await line();
    return found && found.windows >= 2 ? found : undefined;
  });
  assert.equal(good.drifted, 0);
  assert.equal(good.alarms, 0);
  gain = 1.5;
  const bad = await until("the alarm of the device", 90_000, async () => {
    const found = await line();
    return found && found.alarms === 1 ? found : undefined;
  });
  assert.ok(bad.drifted >= 2);
  assert.notEqual(bad.band, "none");
  const { entries } = await plant
    .api()
    .get<{ entries: { code?: string; message?: string }[] }>(`/devices/${plant.device.name}/timeline`);
  const event = entries.find(({ code }) => code === "model.drift");
  assert.match(
    event?.message ?? "",
    /^What vibration 1\.1\.0 \(.*\) sees and says differs from its reference: /,
  );
  const shown = await plant.operator().run("drift", "show", `vibration@${VERSION}`, "vibration");
  assert.match(shown.stdout, /press-1 \(eu\/berlin\) differs from the reference/);
});

test("inputs that it was unsure of come to the operator, and leave the box", async () => {
  const examples = await until("an example", 60_000, async () => {
    const found = await plant.operator().json<{ digest: string; confidence: number }[]>("example", "list");
    return found.length > 0 ? found : undefined;
  });
  const [{ digest, confidence }] = examples as [{ digest: string; confidence: number }];
  assert.ok(confidence < SERVING.capture.belowConfidence);
  const to = join(plant.directory, "example");
  await plant.operator().json("example", "get", digest, "--to", to);
  const header = JSON.parse(await readFile(join(to, "header.json"), "utf8"));
  assert.equal(header.model, "vibration");
  const array = await readFile(join(to, "input-0.npy"));
  assert.match(array.subarray(0, 128).toString("latin1"), /'descr': '<f4'.*'shape': \(1, 1, 512\)/);
  feeding = false;
  await until("the spool to be empty", 30_000, async () => {
    const left = await readdir(join(plant.device.dataDirectory, "examples"));
    return left.length === 0 || undefined;
  });
});
