import { setTimeout as sleep } from "node:timers/promises";
import { isMusterError } from "@muster/shared/errors";
import type { RolloutEventList, RolloutResource } from "../api/schemas/rollouts.ts";
import type { OperatorClient } from "./client.ts";
import { LiveArea } from "./live-area.ts";
import type { Output } from "./output.ts";
import { describeRollout } from "./rollout-status.ts";
import { isOver } from "./rollout-words.ts";
import { printable } from "./terminal.ts";
import { timestamp } from "./words.ts";

const INTERVAL_MS = 500;
/** A control plane that restarts is waited for, in questions without an answer. */
const PATIENCE = 60;

interface Moment {
  rollout: RolloutResource;
  events: RolloutEventList["events"];
}

/**
 * Follows a rollout until nothing more happens by itself. A terminal shows it live; elsewhere each event is one
 * line on stderr, so that stdout keeps to the result.
 */
export async function watchRollout(
  client: OperatorClient,
  id: string,
  output: Output,
  deadline: number,
): Promise<RolloutResource> {
  const { stdout, stderr } = output.terminal;
  const area = stdout.isTTY === true && !output.json ? new LiveArea(stdout) : undefined;
  let seen = 0;
  for (;;) {
    const { rollout, events } = await ask(client, id, seen);
    seen = events.at(-1)?.seq ?? seen;
    const told = events.map(({ at, sentence }) => `${timestamp(at)}  ${printable(sentence)}`);
    const now = output.terminal.now();
    const over = isOver(rollout.state) || now >= deadline;
    if (area) area.draw(told, over ? [] : describeRollout(rollout, now, output.paint));
    else if (told.length > 0) stderr.write(`${told.join("\n")}\n`);
    if (over) return rollout;
    await sleep(INTERVAL_MS);
  }
}

async function ask(client: OperatorClient, id: string, after: number): Promise<Moment> {
  const path = `/rollouts/${encodeURIComponent(id)}`;
  for (let refusals = 0; ; refusals += 1) {
    try {
      const rollout = await client.get<RolloutResource>(path);
      const { events } = await client.get<RolloutEventList>(`${path}/events`, { after });
      return { rollout, events };
    } catch (error) {
      if (!isMusterError(error, "request.unreachable") || refusals >= PATIENCE) throw error;
      await sleep(INTERVAL_MS);
    }
  }
}
