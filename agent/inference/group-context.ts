import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { FromRunner } from "../runner/control.ts";
import type { Endpoint } from "./endpoint.ts";
import type { RunnerGroup } from "./groups.ts";
import type { Choice } from "./ladder/ladder.ts";
import type { LaunchContext, Launched } from "./launch.ts";
import type { InferencePorts } from "./ports.ts";
import type { Report, RunnerProcess } from "./runner-process.ts";

/** What the world sees of a group that is served. */
export interface GroupInContext {
  readonly id: string;
  readonly release: ReleaseRef;
}

export interface GroupContext extends LaunchContext, Pick<InferencePorts, "onEvent"> {
  readonly endpoint: Endpoint;
  readonly onReport: (group: GroupInContext, runner: RunnerProcess, report: Report) => void;
  /** What `models`, `components`, `state` or `runner` say has changed. */
  readonly onChange: () => void;
  /** A served runner crashed or hung and is started again. */
  readonly onCrash: (group: GroupInContext) => void;
  /** A fresh runner is about to listen: it has to know its siblings. */
  readonly onFresh: (group: GroupInContext, launched: Launched) => void;
  /** Work that must end before this process does. */
  readonly track: (work: Promise<unknown>) => void;
}

/** A group with the runner that has loaded and proven one of its choices. */
export interface LaunchedGroup {
  readonly group: RunnerGroup;
  /** Best first. */
  readonly choices: readonly Choice[];
  /** Undefined where no choice could be loaded. */
  readonly launched: Launched | undefined;
  /** Present where that is not the first choice. */
  readonly fallen?: { readonly position: number; readonly reason: string; readonly at: number };
}

export type Listening = Extract<FromRunner, { kind: "listening" }>;
