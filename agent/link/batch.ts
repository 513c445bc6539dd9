import { PROTOCOL_VERSION } from "@muster/shared/protocol/primitives";
import type { EncodedRow } from "../outbox/outbox.ts";

/** Payload of `up/batch` (schema `Batch`) around records that are JSON text already. */
export const encodeBatch = (session: string, outbox: string, records: readonly EncodedRow[]): string => {
  const head = JSON.stringify({ v: PROTOCOL_VERSION, session, outbox });
  return `${head.slice(0, -1)},"records":[${records.map(({ text }) => text).join(",")}]}`;
};
