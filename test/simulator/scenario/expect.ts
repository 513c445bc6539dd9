import type { DeviceProfile } from "../device/profile.ts";
import { choose } from "./choice.ts";
import type { Expectation } from "./schema.ts";

/** One device as it really is, whatever the control plane believes. */
export interface DeviceTruth {
  profile: DeviceProfile;
  online: boolean;
  /** `name@version`. */
  running: string | null;
  visited: ReadonlySet<string>;
  /** Code of its newest refusal. */
  refused: string | null;
}

/** Everything that expectations are held against at one moment. */
export interface Observation {
  devices: readonly DeviceTruth[];
  rollouts: ReadonlyMap<string, { state: string; reason: string | null }>;
  /** Devices by liveness, as the control plane counts them. */
  liveness: Readonly<Record<string, number>>;
  records: { produced: number; acknowledged: number };
  results: { produced: number; stored: number };
}

export interface Checked {
  held: boolean;
  /** What was found, in a sentence. */
  found: string;
}

interface Amount {
  atLeast?: number;
  atMost?: number;
  percentAtLeast?: number;
  percentAtMost?: number;
}

function within(count: number, of: number, amount: Amount): boolean {
  const { atLeast, atMost, percentAtLeast, percentAtMost } = amount;
  if ([atLeast, atMost, percentAtLeast, percentAtMost].every((limit) => limit === undefined))
    return count === of;
  return (
    count >= (atLeast ?? 0) &&
    count <= (atMost ?? of) &&
    count * 100 >= (percentAtLeast ?? 0) * of &&
    count * 100 <= (percentAtMost ?? 100) * of
  );
}

/** @param seed picks the devices that the expectation means, as it picked those of the events */
export function check(expectation: Expectation, seen: Observation, seed: number): Checked {
  const counted = (
    words: string,
    choice: Extract<Expectation, { kind: "online" }>["devices"],
    amount: Amount,
    test: (device: DeviceTruth) => boolean,
  ): Checked => {
    const meant = new Set(
      choose(
        seen.devices.map(({ profile }) => profile),
        choice,
        seed,
      ).map(({ index }) => index),
    );
    const devices = seen.devices.filter(({ profile }) => meant.has(profile.index));
    const count = devices.filter(test).length;
    return {
      held: within(count, devices.length, amount),
      found: `${count} of ${devices.length} devices ${words}`,
    };
  };
  switch (expectation.kind) {
    case "rollout": {
      const rollout = seen.rollouts.get(expectation.rollout);
      const found = `rollout ${expectation.rollout} is ${rollout?.state ?? "not there"}`;
      const reason = rollout?.reason ? `: ${rollout.reason}` : "";
      return { held: rollout?.state === expectation.state, found: `${found}${reason}` };
    }
    case "running": {
      const { release, devices } = expectation;
      return counted(`run ${release}`, devices, expectation, ({ running }) => running === release);
    }
    case "visited": {
      const { release, devices } = expectation;
      return counted(`have run ${release}`, devices, expectation, ({ visited }) => visited.has(release));
    }
    case "online":
      return counted("are online", expectation.devices, expectation, ({ online }) => online);
    case "refused": {
      const { code, devices } = expectation;
      return counted(`refused with ${code}`, devices, expectation, ({ refused }) => refused === code);
    }
    case "liveness": {
      const count = seen.liveness[expectation.liveness] ?? 0;
      const found = `the control plane sees ${count} of ${seen.devices.length} devices ${expectation.liveness}`;
      return { held: within(count, seen.devices.length, expectation), found };
    }
    case "nothing-lost": {
      const { records, results } = seen;
      const held = records.acknowledged === records.produced && results.stored >= results.produced;
      const found = `${records.acknowledged} of ${records.produced} records acknowledged, ${results.stored} of ${results.produced} results stored`;
      return { held, found };
    }
  }
}
