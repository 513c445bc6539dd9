import { ATTESTATION, DEVICES } from "./devices.ts";
import { MODEL_KEYS, PEOPLE } from "./people.ts";
import type { AuditRecord } from "./record.ts";
import { RELEASES, ROLLOUTS } from "./rollouts.ts";
import { SETTINGS } from "./settings.ts";

/** Every change of control.db that belongs on record. Telemetry, copies and counters do not. */
export const AUDIT_RECORDS: readonly AuditRecord[] = [
  ...DEVICES,
  ...ATTESTATION,
  ...MODEL_KEYS,
  ...PEOPLE,
  ...RELEASES,
  ...ROLLOUTS,
  ...SETTINGS,
];
