import { readFileSync } from "node:fs";
import { join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import { Name } from "@muster/shared/protocol/primitives";
import { parseJson } from "@muster/shared/protocol/validate";
import { type Static, Type } from "typebox";
import { BoxCapture } from "../examples/box-capture.ts";
import { ExternalRuntime } from "../external/runtime.ts";
import { Sink, Source } from "../feeder/config.ts";
import { feederFault } from "../feeder/config-rules.ts";
import { BoxPower } from "../power/box-power.ts";

/** Providers of ONNX Runtime itself: no other server may go by their names. */
const BUILT_IN: readonly string[] = ["cpu", "cuda", "tensorrt", "webgpu", "dml", "coreml"];

/**
 * What only the owner of the box can know or allow. It is never part of a release: a release says what is to run, this
 * file what the box lets it use.
 */
export const BoxFile = Type.Object(
  {
    /** Servers that stand for execution providers, by the provider's name. */
    runtimes: Type.Optional(
      Type.Record(Name, ExternalRuntime, { maxProperties: 8, additionalProperties: false }),
    ),
    power: Type.Optional(BoxPower),
    capture: Type.Optional(BoxCapture),
    sources: Type.Optional(Type.Array(Source, { minItems: 1, maxItems: 16 })),
    sinks: Type.Optional(Type.Array(Sink, { minItems: 1, maxItems: 16 })),
  },
  { additionalProperties: false },
);
export type BoxFile = Static<typeof BoxFile>;

/**
 * Reads `<data>/box.json`; a box without one has nothing of its own.
 * @throws MusterError `settings.invalid` for a file that cannot be read, that is not of this shape, or with a runtime
 *   that could not run twice side by side
 */
export const loadBoxFile = (dataDir: string): BoxFile => readBoxFile(join(dataDir, "box.json"));

/** As `loadBoxFile`, of a file at any place. @throws MusterError `settings.invalid` */
export function readBoxFile(path: string): BoxFile {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw new MusterError("settings.invalid", `${path} cannot be read.`, { cause });
  }
  const box = parse(path, text);
  for (const [provider, runtime] of Object.entries(box.runtimes ?? {}))
    requireUsable(path, provider, runtime);
  const fault = feederFault(box.sources ?? [], box.sinks ?? []);
  if (fault !== undefined) throw new MusterError("settings.invalid", `${path}: ${fault}`);
  return box;
}

function parse(path: string, text: string): BoxFile {
  try {
    return parseJson(BoxFile, text, "settings.invalid");
  } catch (cause) {
    throw new MusterError("settings.invalid", `${path}: ${(cause as Error).message}`, { cause });
  }
}

function requireUsable(path: string, provider: string, { args = [], env = {} }: ExternalRuntime): void {
  if (BUILT_IN.includes(provider))
    throw new MusterError(
      "settings.invalid",
      `${path}: ${provider} is a provider of ONNX Runtime; give the runtime another name.`,
    );
  const places = [...args, ...Object.values(env)].join("\n");
  const ways = ["{port}", "{socket}"].filter((way) => places.includes(way));
  if (ways.length !== 1)
    throw new MusterError(
      "settings.invalid",
      `${path}: the runtime ${provider} needs {port} or {socket} in its args or env, and not both: it is told where to listen.`,
    );
}
