import { type Static, Type } from "typebox";

const closed = { additionalProperties: false };
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const span = (least: number, most: number) => Type.Integer({ minimum: least, maximum: most });
const Weight = Type.Enum(["information", "warning", "contraindicated"]);

/** What operators decide about attestation at a place. Spans in milliseconds. */
export const PolicyContent = Type.Object(
  {
    /** `off`: nobody is asked. `report`: shown, without consequence. `enforce`: a device that does not pass gets nothing new. */
    mode: Type.Enum(["off", "report", "enforce"]),
    /** How often a device is asked anew while it is connected. */
    intervalMs: span(MINUTE, 7 * DAY),
    /** How long a verdict counts after fresh evidence. */
    maxAgeMs: span(5 * MINUTE, 30 * DAY),
    /** How long after its last fresh evidence what a device made offline carries its verdict on. */
    graceMs: span(0, 365 * DAY),
    /** What a TPM has to quote. */
    pcrs: Type.Object(
      {
        bank: Type.Enum(["sha256", "sha384"]),
        indices: Type.Array(Type.Integer({ minimum: 0, maximum: 23 }), {
          minItems: 1,
          maxItems: 24,
          uniqueItems: true,
        }),
      },
      closed,
    ),
    /** What it counts as that no reference set is for the class of the device. */
    unknownClass: Weight,
    /** What it counts as that the firmware measured something that no reference set lists. */
    unknownFirmware: Weight,
    /** What it counts as that reference sets list agents, and not the one that runs. */
    unknownAgent: Weight,
    /** What a missing link of the chain counts as once it had time to come. */
    gaps: Weight,
    /** Whether devices without a verdict in force get something new. */
    unattested: Type.Enum(["allow", "withhold"]),
  },
  closed,
);
export type PolicyContent = Static<typeof PolicyContent>;

export const DEFAULT_POLICY: PolicyContent = {
  mode: "enforce",
  intervalMs: HOUR,
  maxAgeMs: DAY,
  graceMs: 7 * DAY,
  pcrs: { bank: "sha256", indices: [0, 1, 2, 3, 4, 5, 6, 7] },
  unknownClass: "warning",
  unknownFirmware: "contraindicated",
  unknownAgent: "warning",
  gaps: "warning",
  unattested: "allow",
};

/** Parts of a policy: what is not named stays as it holds above. */
export const PolicyChange = Type.Partial(PolicyContent, { ...closed, minProperties: 1 });
export type PolicyChange = Static<typeof PolicyChange>;
