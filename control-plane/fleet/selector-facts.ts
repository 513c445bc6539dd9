import type { Labels } from "@muster/shared/protocol/primitives";
import { ASSURANCES, type TrustStanding, VERDICTS } from "../attestation/verdict.ts";
import type { Liveness } from "./liveness.ts";
import type { DeviceStatus } from "./types.ts";

/** What a selector looks at. */
export interface SelectorSubject {
  readonly id: string;
  readonly name: string;
  readonly site: string;
  readonly hardwareClass: string;
  readonly status: DeviceStatus;
  readonly liveness: Liveness;
  readonly trust: TrustStanding;
  readonly agentVersion: string | null;
  readonly arch: string;
  readonly running: { readonly name: string; readonly version: string } | null;
  /** Its own labels and those that it inherits. */
  readonly effectiveLabels: Labels;
  /** Undefined for a group that does not exist. */
  inGroup(group: string): boolean | undefined;
  inAnyGroup(): boolean;
}

/** A key that is no label: something that the control plane knows of the device. */
export interface Fact {
  /** Whether the device has it at all. */
  exists(subject: SelectorSubject): boolean;
  /** Undefined where nobody can tell: the selector then selects nobody, whatever it asks. */
  is(subject: SelectorSubject, value: string): boolean | undefined;
  /** The only values there are, where these are few: another one is a slip. */
  values?: readonly string[];
}

/** A fact that every device has, as text. */
const always = (read: (subject: SelectorSubject) => string, values?: readonly string[]): Fact => ({
  exists: () => true,
  is: (subject, value) => read(subject) === value,
  ...(values ? { values } : {}),
});

const site: Fact = {
  exists: () => true,
  is: ({ site }, value) => site === value || site.startsWith(`${value}/`),
};

const agent: Fact = {
  exists: ({ agentVersion }) => agentVersion !== null,
  is: ({ agentVersion }, value) => agentVersion === value,
};

const release: Fact = {
  exists: ({ running }) => running !== null,
  is: ({ running }, value) =>
    running !== null && (running.name === value || `${running.name}@${running.version}` === value),
};

const group: Fact = {
  exists: (subject) => subject.inAnyGroup(),
  is: (subject, value) => subject.inGroup(value),
};

/** `withheld` alone asks for those that get nothing new, `!withheld` for all others. */
const withheld: Fact = {
  exists: ({ trust }) => trust.withheld,
  is: ({ trust }, value) => String(trust.withheld) === value,
  values: ["true", "false"],
};

/** Every key that is a fact; all others are labels. */
export const FACTS: ReadonlyMap<string, Fact> = new Map([
  ["id", always(({ id }) => id)],
  ["name", always(({ name }) => name)],
  ["site", site],
  ["class", always(({ hardwareClass }) => hardwareClass)],
  ["arch", always(({ arch }) => arch)],
  ["group", group],
  ["release", release],
  ["agent", agent],
  ["liveness", always(({ liveness }) => liveness, ["online", "late", "offline", "flapping"])],
  ["status", always(({ status }) => status, ["active", "quarantined", "revoked"])],
  ["assurance", always(({ trust }) => trust.assurance, ASSURANCES)],
  ["verdict", always(({ trust }) => trust.verdict, VERDICTS)],
  ["withheld", withheld],
]);
