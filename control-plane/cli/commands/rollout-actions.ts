import type { Command } from "commander";
import type { RolloutResource } from "../../api/schemas/rollouts.ts";
import type { Cli } from "../cli.ts";
import { positiveNumber } from "../options.ts";

interface Action {
  verb: string;
  summary: string;
  /** What the example does. */
  does: string;
  example?: string;
  options?: (command: Command) => Command;
}

const reason = (command: Command): Command =>
  command.option("--reason <text>", "why, for those who read the events");

const ACTIONS: readonly Action[] = [
  {
    verb: "start",
    summary: "start a draft, or submit it where approvals are needed",
    does: "its first wave is told",
  },
  { verb: "submit", summary: "the same as start", does: "others may approve it now" },
  {
    verb: "approve",
    summary: "approve a rollout of somebody else",
    does: "with the last approval it starts",
  },
  {
    verb: "deny",
    summary: "deny a rollout that awaits approval: it is aborted",
    does: "with the reason",
    example: ' --reason "not before the audit"',
    options: (command) => command.requiredOption("--reason <text>", "why"),
  },
  { verb: "pause", summary: "tell no more devices", does: "those that were told go on", options: reason },
  {
    verb: "resume",
    summary: "go on after a pause",
    does: "the open wave gets its full time again",
    options: reason,
  },
  {
    verb: "skip-wave",
    summary: "take the open wave as it is and begin the next",
    does: "repeating it skips no other wave",
    example: " --wave 1",
    options: (command) =>
      reason(command.requiredOption("--wave <n>", "number of the open wave", positiveNumber)),
  },
  {
    verb: "abort",
    summary: "stop, and take back what has not begun",
    does: "devices that succeeded stay",
    options: reason,
  },
  {
    verb: "revert",
    summary: "give every changed device its previous release back",
    does: "also after it has completed",
    options: reason,
  },
  {
    verb: "admit-late",
    summary: "let held late joiners take part",
    does: "they are told after the last wave",
  },
];

/** What an operator does with a rollout; each is safe to repeat. */
export function actionCommands(group: Command, cli: Cli): void {
  for (const { verb, summary, does, example = "", options } of ACTIONS)
    cli.leaf(
      group,
      { name: `${verb} <rollout>`, summary, examples: [[`muster rollout ${verb} ROLLOUT${example}`, does]] },
      (command) => options?.(command) ?? command,
      async ([id = ""], given) => {
        const client = await cli.client();
        const body = Object.keys(given).length > 0 ? given : undefined;
        const path = `/rollouts/${encodeURIComponent(id)}/${verb}`;
        const rollout = await client.send<RolloutResource>("POST", path, body);
        cli.output.data(rollout, () => `Rollout ${rollout.id} is ${rollout.state}.`);
      },
    );
}
