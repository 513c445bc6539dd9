import type { Measurement } from "@muster/shared/protocol/evidence";
import type { Digest } from "@muster/shared/protocol/primitives";
import type { RunningComponent } from "@muster/shared/protocol/state";
import type { Running } from "./ports.ts";

/** What stays as it is while the agent runs. */
export interface Fixed {
  boot: string;
  agentVersion: string;
  codeDigest: Digest;
  /** The disk was found to be older than the hardware counter. */
  rolledBack: boolean;
}

/** What a device says of itself at this moment; the agent reports all of it as its runners prove it. */
export const measurementOf = (fixed: Fixed, { state, journalHead }: Running): Measurement => ({
  boot: fixed.boot,
  agent: { version: fixed.agentVersion, digest: fixed.codeDigest },
  journal: { generation: state.generation, phase: state.update?.phase ?? null, head: journalHead },
  release: state.running,
  runner: state.runner,
  components: state.components.map(measured),
  rolledBack: fixed.rolledBack,
});

const measured = ({ type, name, version, digest, variant, provider }: RunningComponent) => ({
  ...{ type, name, version, digest },
  ...(variant !== undefined && { variant }),
  ...(provider !== undefined && { provider }),
});

/** What a change of it is told for at once: what runs, by digests. */
export const changeKeyOf = ({
  release,
  components,
}: {
  release: Measurement["release"];
  components: readonly { name: string; digest: string }[];
}): string =>
  [release?.digest ?? "none", ...components.map(({ name, digest }) => `${name} ${digest}`)].join("\n");
