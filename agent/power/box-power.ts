import { type Static, Type } from "typebox";

const Watts = Type.Number({ exclusiveMinimum: 0, maximum: 100_000 });

/** What only the owner of the box knows of its supply and cooling: `power` in box.json. */
export const BoxPower = Type.Object(
  {
    /** Most that the box may draw, watts; absent: no budget. */
    budgetWatts: Type.Optional(Watts),
    /** Temperature that the box is not to exceed, degrees Celsius. */
    maxTemperatureC: Type.Optional(Type.Number({ minimum: 30, maximum: 120 })),
    /** What the box draws without inference, watts; absent: the idle draw is shared by processor time too. */
    idleWatts: Type.Optional(Type.Number({ minimum: 0, maximum: 100_000 })),
    /** What one busy core draws, watts: energy is modelled by it where nothing measures. */
    wattsPerCore: Type.Optional(Watts),
    /** Meters that measure the whole box: `ina3221`, or `ina3221/VDD_IN` for one rail. */
    meters: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 128 }), { minItems: 1, maxItems: 8 }),
    ),
    /** Most best-effort requests computed in a second from level `warm` on. */
    bestEffortPerSecond: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 100_000 })),
    /** Charge of a battery below which the box saves power, percent. */
    saveBelowPercent: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
    /** Levels are told and nothing follows from them. */
    observeOnly: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
export type BoxPower = Static<typeof BoxPower>;
