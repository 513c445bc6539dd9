import { type Static, Type } from "typebox";
import { parseJson } from "../protocol/validate.ts";

/** Member of the signed TUF root that lists the keys which may sign directives. */
export const DIRECTIVE_KEYS = "x-muster-directive-keys";

/** Public keys by key id, hex. */
export const DirectiveKeys = Type.Record(
  Type.String({ pattern: "^[0-9a-f]{16}$" }),
  Type.String({ pattern: "^[0-9a-f]{64}$" }),
  { minProperties: 1, maxProperties: 8, additionalProperties: false },
);
export type DirectiveKeys = Static<typeof DirectiveKeys>;

const RootDocument = Type.Object({ signed: Type.Object({ [DIRECTIVE_KEYS]: DirectiveKeys }) });

/**
 * Directive keys of a root that was verified before. It is read without the TUF library, which would take 10 MiB
 * on every box only to look at this one member.
 * @throws MusterError `trust.metadata-invalid`
 */
export const directiveKeysIn = (verifiedRoot: string): DirectiveKeys =>
  parseJson(RootDocument, verifiedRoot, "trust.metadata-invalid").signed[DIRECTIVE_KEYS];
