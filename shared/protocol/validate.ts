import type { Static, TSchema } from "typebox";
import { Compile, type Validator } from "typebox/compile";
import { type ErrorCode, MusterError } from "../errors.ts";
import { mismatchText } from "./mismatch.ts";

const compiled = new WeakMap<TSchema, Validator>();

function validatorOf(schema: TSchema): Validator {
  let validator = compiled.get(schema);
  if (!validator) {
    validator = Compile(schema);
    compiled.set(schema, validator);
  }
  return validator;
}

/**
 * `value` as the schema's type, unchanged.
 * @throws MusterError `code` with the path and reason of the first mismatch
 */
export function validate<T extends TSchema>(schema: T, value: unknown, code: ErrorCode): Static<T> {
  const validator = validatorOf(schema);
  if (validator.Check(value)) return value as Static<T>;
  throw new MusterError(code, `${mismatchText(validator.Errors(value), "The document")}.`);
}

/** Buffer decodes UTF-8 several times faster than TextDecoder, and this is the hot path of ingest. */
const textOf = ({ buffer, byteOffset, byteLength }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString("utf8");

/** Parses JSON text or UTF-8 bytes and validates the value. @throws MusterError `code` */
export function parseJson<T extends TSchema>(
  schema: T,
  json: string | Uint8Array,
  code: ErrorCode,
): Static<T> {
  const text = typeof json === "string" ? json : textOf(json);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new MusterError(code, "The text is not JSON.", { cause });
  }
  return validate(schema, value, code);
}
