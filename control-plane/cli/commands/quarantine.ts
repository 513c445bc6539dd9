import type { Command } from "commander";
import type { QuarantineList, QuarantineResource } from "../../api/schemas/quarantines.ts";
import type { Cli } from "../cli.ts";
import { ago } from "../words.ts";

/** `muster release quarantines` and `muster release unquarantine`. */
export function quarantineCommands(group: Command, cli: Cli): void {
  cli.leaf(
    group,
    {
      name: "quarantines",
      summary: "list what no rollout takes to a hardware class, newest first",
      examples: [["muster release quarantines", "which rollout found what bad, where, and why"]],
    },
    (command) => command,
    async () => {
      const { quarantines } = await (await cli.client()).get<QuarantineList>("/quarantines");
      const now = cli.terminal.now();
      cli.output.list(
        quarantines,
        [
          { title: "RELEASE", value: (row) => `${row.name}@${row.version}` },
          { title: "CLASS", value: (row) => row.hardwareClass },
          { title: "SINCE", value: (row) => ago(row.at, now) },
          { title: "ROLLOUT", value: (row) => row.rollout },
          { title: "REASON", value: (row) => row.reason },
        ],
        quarantines,
        "No release is in quarantine.",
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "unquarantine <release>",
      summary: "lift a quarantine: rollouts may take the release to the hardware class again",
      examples: [
        [
          'muster release unquarantine a@1.1.0 --class linux-x64-cpu --reason "hot box"',
          "who and why stays in the events of the rollout that made it",
        ],
      ],
    },
    (command) =>
      command
        .requiredOption("--class <name>", "hardware class")
        .requiredOption("--reason <text>", "why the release is not to blame"),
    async ([release = ""], options) => {
      const path = `/quarantines/${encodeURIComponent(release)}/${encodeURIComponent(String(options.class))}`;
      const client = await cli.client();
      const lifted = await client.send<QuarantineResource>("DELETE", path, { reason: options.reason });
      cli.output.data(
        lifted,
        () => `${lifted.name} ${lifted.version} is not in quarantine for ${lifted.hardwareClass} any more.`,
      );
    },
  );
}
