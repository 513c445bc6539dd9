import type { Measurement } from "@muster/shared/protocol/evidence";
import type { PolicyContent } from "../policy/policy.ts";
import type { ReferenceSet } from "../references/reference-set.ts";
import type { Finding } from "../verdict.ts";
import { finding } from "./findings.ts";

/** Compares the agent's own code with those that the reference sets list. */
export function judgeAgent(
  { agent }: Measurement,
  references: readonly ReferenceSet[],
  { unknownAgent }: Pick<PolicyContent, "unknownAgent">,
): Finding[] {
  const listed = references.flatMap(({ agents = [] }) => agents);
  const what = `agent ${agent.version} (${agent.digest.slice(0, 19)}…)`;
  const findings: Finding[] = [];
  if (listed.length === 0)
    findings.push(
      finding(
        "executables",
        "information",
        "attestation.agent-unlisted",
        "unknown",
        `No reference set lists agents: the ${what} is not compared with anything.`,
      ),
    );
  else if (!listed.some(({ digest }) => digest === agent.digest)) {
    const same = listed.some(({ version }) => version === agent.version);
    findings.push(
      finding(
        "executables",
        unknownAgent,
        "attestation.agent-unknown",
        same ? "attack" : "drift",
        same
          ? `The ${what} says that it is ${agent.version}, but has other code than the ${agent.version} of the reference sets.`
          : `The ${what} is in no reference set: it is newer than they are, or was built by somebody else.`,
      ),
    );
  }
  for (const { minimum } of references)
    if (minimum?.agent !== undefined && isOlder(agent.version, minimum.agent))
      findings.push(
        finding(
          "executables",
          "warning",
          "attestation.agent-old",
          "drift",
          `The agent is ${agent.version}; the reference sets ask for ${minimum.agent} at least.`,
        ),
      );
  return findings;
}

/** Compares the numbers of versions like 1.2.3; what has none counts as 0. */
function isOlder(version: string, minimum: string): boolean {
  const numbers = (text: string) => (/^[0-9.]*/.exec(text)?.[0] ?? "").split(".").map(Number);
  const has = numbers(version);
  for (const [index, wanted] of numbers(minimum).entries()) {
    const here = has[index] ?? 0;
    if (here !== wanted) return here < wanted;
  }
  return false;
}
