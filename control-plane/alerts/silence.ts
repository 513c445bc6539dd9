import { type Static, Type } from "typebox";

/** What is not told for a while. Times in milliseconds since the epoch. */
export interface Silence {
  id: string;
  /** Of alerts: facts and labels of their devices, and `rule` and `severity`. Empty silences everything. */
  selector: string;
  from: number;
  until: number;
  reason: string;
  createdBy: string;
  createdAt: number;
}

/** Longest silence: what is silenced for ever is a rule to be switched off. */
const MAX_SECONDS = 366 * 86_400;

export const SilenceInput = Type.Object(
  {
    selector: Type.String({ maxLength: 1000 }),
    reason: Type.String({ minLength: 1, maxLength: 500 }),
    seconds: Type.Integer({ minimum: 60, maximum: MAX_SECONDS }),
    /** Milliseconds since the epoch; now unless given. */
    from: Type.Optional(Type.Integer({ minimum: 0, maximum: 8_640_000_000_000_000 })),
  },
  { additionalProperties: false },
);
export type SilenceInput = Static<typeof SilenceInput>;

/** Silences at a time: each firing alert is compared with each of them. */
export const MAX_SILENCES = 200;

export const isInForce = ({ from, until }: Silence, now: number): boolean => from <= now && now < until;
