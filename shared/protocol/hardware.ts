import { type Static, Type } from "typebox";
import { Count, Name } from "./primitives.ts";

/** Facts about the box that decide which variants it can run. Memory in MiB. */
export const HardwareFacts = Type.Object(
  {
    /** Words of node's `process.platform` and `process.arch`: the hardware class is made of them. */
    platform: Type.String({ pattern: "^[a-z0-9_]{1,32}$" }),
    arch: Type.String({ pattern: "^[a-z0-9_]{1,16}$" }),
    cpuModel: Type.String({ maxLength: 128 }),
    cores: Count,
    memoryMiB: Count,
    /** Execution providers that the runner can really use, best first. */
    providers: Type.Array(Name, { maxItems: 16 }),
    /** Highest opset of the default ONNX domain that its runtime reads. */
    opset: Type.Integer({ minimum: 1, maximum: 1000 }),
  },
  { additionalProperties: false },
);
export type HardwareFacts = Static<typeof HardwareFacts>;

/** Hardware class: platform, architecture and best provider, e.g. `linux-x64-cpu`. */
export const hardwareClassOf = (facts: Pick<HardwareFacts, "platform" | "arch" | "providers">): string =>
  `${facts.platform}-${facts.arch}-${facts.providers[0] ?? "none"}`;
