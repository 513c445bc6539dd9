import { type Command, Option } from "commander";
import type { RolloutResource } from "../../api/schemas/rollouts.ts";
import type { SelectionResource } from "../../api/schemas/selections.ts";
import type { Cli } from "../cli.ts";
import { positiveNumber, timeSpan, wholeNumber } from "../options.ts";
import { readPace, readPercent, readPlan, readWave } from "../rollout-plan.ts";
import { describeSelection } from "../selection-words.ts";

const at = (id: string): string => `/rollouts/${encodeURIComponent(id)}`;

/** `muster rollout create`: what the options do not say is said by the plan file, or has a default. */
export function createCommand(group: Command, cli: Cli): void {
  cli.leaf(
    group,
    {
      name: "create",
      summary: "plan a rollout; it starts with --start or `rollout start`",
      examples: [
        ["muster rollout create --release vibration@1.1.0 --wave 1 --wave 25% --dry-run", "who would get it"],
        ["muster rollout create -f rollout.json --start", "from a file in git"],
        ["muster rollout create --release vibration@1.1.0 --selector site=eu/de --start", "one region"],
      ],
    },
    (command) =>
      command
        .option("-f, --file <plan>", "plan as JSON; the options below go before it")
        .option("--release <name@version>", "what to roll out")
        .option("-l, --selector <selector>", "which devices, e.g. site=eu/de,ring!=late; all unless given")
        .option("--wave <size>", "3, 10%, canary:1 or a selector; repeat it; sizes are cumulative", readWave)
        .option("--soak <span>", "how long each wave must hold, e.g. 30s", timeSpan)
        .option(
          "--shadow <span>",
          "run it beside the live release first, in the first wave, e.g. 10m",
          timeSpan,
        )
        .option("--min-success <percent>", "least share of successes a wave needs", readPercent)
        .option("--max-error <percent>", "share of failures that stops the rollout", readPercent)
        .option("--timeout <span>", "a device that tells no end for so long failed, e.g. 1h", timeSpan)
        .option("--retries <n>", "how often a failure that time may mend is tried again", wholeNumber)
        .option("--pace <rate>", "devices told a minute at most, e.g. 50/min", readPace)
        .option("--max-in-flight <n>", "devices told and not ended at most", positiveNumber)
        .option("--at <time>", "tell nobody before, e.g. 2026-12-01T02:00Z or +6h", String)
        .option("--deadline <span>", "stop so long after the start, e.g. 3d", timeSpan)
        .option("--priority <n>", "0 to 1000; the higher of two rollouts has a device", wholeNumber)
        .addOption(
          new Option("--late <how>", "devices that begin to match later").choices([
            "include",
            "hold",
            "exclude",
          ]),
        )
        .option("--approvals <n>", "operators who must approve, besides the author", wholeNumber)
        .addOption(
          new Option("--on-failure <action>", "what a violated gate does").choices(["revert", "pause"]),
        )
        .option("--force", "also where the release is in quarantine")
        .option("--dry-run", "only say what it would do")
        .option("--start", "start it at once"),
    async (_args, options) => {
      const plan = await readPlan(options, cli.terminal.now());
      const client = await cli.client();
      if (options.dryRun) {
        const selection = await client.send<SelectionResource>("POST", "/rollouts", plan, { dryRun: true });
        cli.output.data(selection, () => describeSelection(selection));
        return;
      }
      const draft = await client.send<RolloutResource>("POST", "/rollouts", plan);
      const rollout = options.start
        ? await client.send<RolloutResource>("POST", `${at(draft.id)}/start`)
        : draft;
      cli.output.data(rollout, () => rollout.id);
      cli.output.say(
        options.start
          ? `Rollout ${rollout.id} is ${rollout.state}: muster rollout status ${rollout.id} --watch`
          : `Rollout ${rollout.id} is a draft: muster rollout start ${rollout.id}`,
      );
    },
  );
}
