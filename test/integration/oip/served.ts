import { BenchBox, GOLDEN } from "../runner/bench-box.ts";
import type { Target } from "../runner/client.ts";
import { arithmetic, castTo, classifier, ELEMENT, identity, slow } from "../runner/models.ts";

const LABELS = ["good", "worn", "cracked", "loose"];

/** A runner with one model for each thing that the protocol has, and two versions of one. */
export async function serveModels(settings: Parameters<typeof BenchBox.create>[0] = {}): Promise<BenchBox> {
  const box = await BenchBox.create(settings);
  const plain = (name: string, type: keyof typeof ELEMENT, datatype: string) =>
    box.model(name, identity(ELEMENT[type], ["n"]), GOLDEN.identity(datatype, [1], [1]));
  await box.serve([
    await box.model("classifier", classifier(), GOLDEN.classifier, { version: "2.0.0", labels: LABELS }),
    await box.model("classifier", classifier(0), GOLDEN.flat, { version: "1.5.0-rc.1" }),
    await box.model("arithmetic", arithmetic(), GOLDEN.arithmetic),
    await box.model("half", castTo(ELEMENT.float16), GOLDEN.halved),
    await box.model("slow", slow(16), GOLDEN.slow),
    await plain("fp16", "float16", "FP16"),
    await plain("bool", "bool", "BOOL"),
    await plain("uint8", "uint8", "UINT8"),
    await plain("int8", "int8", "INT8"),
    await plain("uint16", "uint16", "UINT16"),
    await plain("int16", "int16", "INT16"),
    await plain("uint32", "uint32", "UINT32"),
    await plain("int32", "int32", "INT32"),
    await plain("uint64", "uint64", "UINT64"),
    await plain("int64", "int64", "INT64"),
    await plain("fp64", "float64", "FP64"),
  ]);
  return box;
}

/** Both ways to the endpoint. */
export function targetsOf(box: BenchBox): Record<"TCP" | "socket", Target> {
  const { socket } = box.inference.status().endpoint;
  return { TCP: { url: box.url }, socket: { url: box.url, socketPath: socket! } };
}
