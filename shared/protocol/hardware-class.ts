import { type Static, Type } from "typebox";
import { HardwareFacts } from "./hardware.ts";

/**
 * A hardware class as an operator keeps it in `firmware-manifests/hardware-classes/<name>.json`: what the
 * devices of the class have in common. Variants name classes; quarantine works by class.
 */
export const HardwareClass = Type.Object(
  {
    schema: Type.Literal("muster.hardware-class/1"),
    name: Type.String({ pattern: "^[a-z0-9]+-[a-z0-9]+-[a-z0-9]+$" }),
    description: Type.String({ minLength: 1, maxLength: 500 }),
    platform: HardwareFacts.properties.platform,
    arch: HardwareFacts.properties.arch,
    /** Execution providers, best first. */
    providers: Type.Array(Type.String({ pattern: "^[a-z0-9]+$" }), { minItems: 1, maxItems: 16 }),
    examples: Type.Array(Type.String({ maxLength: 128 }), { maxItems: 32 }),
  },
  { additionalProperties: false },
);
export type HardwareClass = Static<typeof HardwareClass>;
