import { readFile } from "node:fs/promises";
import { RolloutPlanInput } from "@muster/control-plane/rollouts/plan";
import { asMusterError, MusterError } from "@muster/shared/errors";
import { Name, SitePath, Version } from "@muster/shared/protocol/primitives";
import { ProbationRule } from "@muster/shared/protocol/release";
import { parseJson } from "@muster/shared/protocol/validate";
import { type Static, Type } from "typebox";
import { FAULTS } from "../device/conduct.ts";

const closed = { additionalProperties: false };
const Seconds = Type.Number({ minimum: 0, maximum: 86_400 });
const Span = Type.Tuple([Seconds, Seconds]);
const ReleaseName = Type.String({ pattern: "^[a-z0-9-]{1,63}@[0-9A-Za-z][0-9A-Za-z.+-]{0,63}$" });
const RolloutName = Type.String({ pattern: "^[a-z0-9-]{1,32}$" });

/**
 * Which devices: all that match every member. `sites` picks so many sites; `percent` or `count` picks so many of
 * what is left. Which ones follows from the seed.
 */
export const DeviceChoice = Type.Object(
  {
    /** This site and everything below it. */
    site: Type.Optional(SitePath),
    sites: Type.Optional(Type.Integer({ minimum: 1 })),
    class: Type.Optional(Name),
    /** `key=value` of the device's own labels. */
    label: Type.Optional(Type.String({ pattern: "^[^=]+=[^=]*$" })),
    percent: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 100 })),
    count: Type.Optional(Type.Integer({ minimum: 1 })),
  },
  closed,
);
export type DeviceChoice = Static<typeof DeviceChoice>;

const lasting = {
  /** Seconds until it is over; to the end where absent. */
  for: Type.Optional(Seconds),
  devices: Type.Optional(DeviceChoice),
} as const;

/** `at`: seconds since all devices were online. */
export const ScenarioEvent = Type.Union([
  /** `silent` leaves connections half open: the control plane only notices that nothing comes. */
  Type.Object(
    { kind: Type.Literal("site-outage"), at: Seconds, ...lasting, silent: Type.Optional(Type.Boolean()) },
    closed,
  ),
  Type.Object(
    {
      kind: Type.Literal("flapping-uplink"),
      at: Seconds,
      ...lasting,
      upSeconds: Seconds,
      downSeconds: Seconds,
    },
    closed,
  ),
  /** Factors on the time that updates and inferences take. */
  Type.Object(
    {
      kind: Type.Literal("slow-devices"),
      at: Seconds,
      ...lasting,
      work: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
      latency: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
    },
    closed,
  ),
  /** A release does harm on some devices, `afterSeconds` after it was activated there. `severity`: `conduct.ts`. */
  Type.Object(
    {
      kind: Type.Literal("bad-release"),
      at: Seconds,
      ...lasting,
      release: ReleaseName,
      fault: Type.Enum(FAULTS),
      severity: Type.Optional(Type.Number({ minimum: 0 })),
      afterSeconds: Type.Optional(Seconds),
    },
    closed,
  ),
  /** Clocks of devices go wrong by so many seconds. */
  Type.Object({ kind: Type.Literal("clock-skew"), at: Seconds, ...lasting, seconds: Type.Number() }, closed),
  /** A copy of each chosen device, with its keys, connects as well. */
  Type.Object({ kind: Type.Literal("duplicate-client-id"), at: Seconds, ...lasting }, closed),
  /** Connections break all at once; the devices come back by themselves. */
  Type.Object(
    { kind: Type.Literal("reconnect-storm"), at: Seconds, devices: Type.Optional(DeviceChoice) },
    closed,
  ),
  /** The control plane goes away, in an orderly way or as by a power cut, and comes back after `for` seconds. */
  Type.Object(
    {
      kind: Type.Literal("control-plane-restart"),
      at: Seconds,
      for: Seconds,
      powerCut: Type.Optional(Type.Boolean()),
    },
    closed,
  ),
  /** Creates a rollout and starts it. */
  Type.Object(
    { kind: Type.Literal("rollout"), at: Seconds, rollout: RolloutName, plan: RolloutPlanInput },
    closed,
  ),
  /** What an operator does to a rollout that was created before: pause, resume, abort, revert, … */
  Type.Object(
    {
      kind: Type.Literal("operator"),
      at: Seconds,
      rollout: RolloutName,
      action: Type.String({ pattern: "^[a-z-]{1,32}$" }),
      body: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    },
    closed,
  ),
]);
export type ScenarioEvent = Static<typeof ScenarioEvent>;

const amount = {
  devices: Type.Optional(DeviceChoice),
  atLeast: Type.Optional(Type.Integer({ minimum: 0 })),
  atMost: Type.Optional(Type.Integer({ minimum: 0 })),
  percentAtLeast: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
  percentAtMost: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
} as const;

/** What must be true in the end. Without a limit all of the chosen devices are meant. */
export const Expectation = Type.Union([
  Type.Object({ kind: Type.Literal("rollout"), rollout: RolloutName, state: Type.String() }, closed),
  /** Devices that run the release, by what the simulated devices really do. */
  Type.Object({ kind: Type.Literal("running"), release: ReleaseName, ...amount }, closed),
  /** Devices on which the release was ever active. */
  Type.Object({ kind: Type.Literal("visited"), release: ReleaseName, ...amount }, closed),
  Type.Object({ kind: Type.Literal("online"), ...amount }, closed),
  /** Devices that refused a directive with this code. */
  Type.Object({ kind: Type.Literal("refused"), code: Type.String(), ...amount }, closed),
  /** Devices with this liveness, as the control plane sees it. */
  Type.Object(
    {
      kind: Type.Literal("liveness"),
      liveness: Type.Enum(["online", "late", "offline", "flapping"]),
      atLeast: amount.atLeast,
      atMost: amount.atMost,
    },
    closed,
  ),
  /** Every record of every device is acknowledged, and every result is stored. */
  Type.Object({ kind: Type.Literal("nothing-lost") }, closed),
]);
export type Expectation = Static<typeof Expectation>;

export const Scenario = Type.Object(
  {
    schema: Type.Literal("muster.scenario/1"),
    description: Type.String({ maxLength: 1000 }),
    /** The run ends when all expectations hold and every event is over, or after this many seconds. */
    limitSeconds: Type.Number({ minimum: 1, maximum: 86_400 }),
    devices: Type.Optional(
      Type.Partial(
        Type.Object({
          heartbeatSeconds: Type.Number({ minimum: 0.1 }),
          telemetrySeconds: Seconds,
          resultsPerTelemetry: Type.Integer({ minimum: 1, maximum: 500 }),
          inferencesPerSecond: Type.Number({ minimum: 0, maximum: 1000 }),
          reconnectMinSeconds: Type.Number({ minimum: 0.01 }),
          reconnectMaxSeconds: Type.Number({ minimum: 0.01 }),
          startDelaySeconds: Seconds,
          stableAfterSeconds: Seconds,
          fetchSeconds: Span,
          stageSeconds: Span,
          activateSeconds: Span,
          restoreSeconds: Span,
        }),
        closed,
      ),
    ),
    /** Settings of a control plane of the simulator's own. */
    controlPlane: Type.Optional(Type.Record(Type.String(), Type.Union([Type.Number(), Type.String()]))),
    /** Releases that there are; the first one is what devices run at the beginning. */
    releases: Type.Array(
      Type.Object(
        {
          name: Name,
          version: Version,
          modelKiB: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_536 })),
          probation: Type.Optional(Type.Partial(ProbationRule, closed)),
        },
        closed,
      ),
      { maxItems: 16 },
    ),
    events: Type.Array(ScenarioEvent, { maxItems: 256 }),
    expect: Type.Array(Expectation, { maxItems: 64 }),
  },
  closed,
);
export type Scenario = Static<typeof Scenario>;

/** @throws MusterError `scenario.invalid` that names the file and the member */
export async function readScenario(file: string): Promise<Scenario> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new MusterError("scenario.invalid", `${file} cannot be read.`, { cause });
  }
  try {
    return consistent(parseJson(Scenario, text, "scenario.invalid"));
  } catch (cause) {
    throw new MusterError("scenario.invalid", `${file}: ${asMusterError(cause).message}`, { cause });
  }
}

/** @throws MusterError `scenario.invalid` for names that nothing in the scenario gives */
export function consistent(scenario: Scenario): Scenario {
  const releases = new Set(scenario.releases.map(({ name, version }) => `${name}@${version}`));
  const started = new Map<string, number>();
  const fail = (message: string): never => {
    throw new MusterError("scenario.invalid", message);
  };
  const release = (name: string) =>
    releases.has(name) || fail(`There is no release ${name} in \`releases\`.`);
  for (const each of scenario.events) {
    if (each.at > scenario.limitSeconds)
      fail(`The event ${each.kind} at ${each.at} s lies beyond limitSeconds.`);
    if (each.kind === "bad-release") release(each.release);
    if (each.kind === "rollout") {
      release(`${each.plan.release.name}@${each.plan.release.version}`);
      if (started.has(each.rollout)) fail(`There are two rollouts named ${each.rollout}.`);
      started.set(each.rollout, each.at);
    }
  }
  for (const each of [...scenario.events, ...scenario.expect]) {
    if (each.kind === "operator" && !((started.get(each.rollout) ?? Number.POSITIVE_INFINITY) <= each.at))
      fail(`The rollout ${each.rollout} is not created before ${each.at} s.`);
    if (each.kind === "rollout" && !started.has(each.rollout))
      fail(`No event creates the rollout ${each.rollout}.`);
    if (each.kind === "running" || each.kind === "visited") release(each.release);
  }
  return scenario;
}
