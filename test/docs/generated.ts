import { fileURLToPath } from "node:url";
import { ReferenceSet } from "@muster/control-plane/attestation/references/reference-set";
import { HardwareClass } from "@muster/shared/protocol/hardware-class";
import { ReleaseSpec } from "@muster/shared/protocol/release-spec";
import type { TSchema } from "typebox";
import { protocolDocument } from "./protocol.ts";

const inRepository = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

const jsonSchema = (schema: TSchema): string =>
  `${JSON.stringify({ $schema: "https://json-schema.org/draft/2020-12/schema", ...schema }, null, 2)}\n`;

/** Every file in the repository that is made from the schemas, with the text that it must have. */
export const generatedFiles = (): { path: string; text: string }[] => [
  { path: inRepository("docs/protocol.md"), text: protocolDocument() },
  {
    path: inRepository("firmware-manifests/hardware-class.schema.json"),
    text: jsonSchema(HardwareClass),
  },
  { path: inRepository("firmware-manifests/release-spec.schema.json"), text: jsonSchema(ReleaseSpec) },
  { path: inRepository("firmware-manifests/reference-set.schema.json"), text: jsonSchema(ReferenceSet) },
];
