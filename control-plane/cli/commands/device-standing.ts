import { type Command, Option } from "commander";
import type { DeviceResource } from "../../api/schemas/fleet.ts";
import type { CreatedToken } from "../../api/schemas/tokens.ts";
import { ASSURANCES } from "../../attestation/verdict.ts";
import type { Cli } from "../cli.ts";
import { localRootPin, tellJoinToken } from "../join-command.ts";
import { KEYS_OPTION } from "../keys.ts";
import { timeSpan } from "../options.ts";
import { ago } from "../words.ts";

const DAY = 86_400_000;
const at = (device: string): string => `/devices/${encodeURIComponent(device)}`;

/** `--min-assurance` of whatever makes a join token. */
export const minAssuranceOption = (): Option =>
  new Option("--min-assurance <level>", "least sure identity that it lets in").choices(ASSURANCES);

/** Whether a device belongs to the fleet and what it may: `muster device quarantine|release|replace|...`. */
export function standingCommands(group: Command, cli: Cli): void {
  cli.leaf(
    group,
    {
      name: "quarantine <device>",
      summary: "keep everything new from a device; it goes on with what it has",
      examples: [['muster device quarantine cam-1 --reason "strange results"', "until it is released"]],
    },
    (command) => command.requiredOption("--reason <text>", "why, for those who ask later"),
    async ([device = ""], options) => {
      const body = { reason: String(options.reason) };
      const shown = await (await cli.client()).send<DeviceResource>("POST", `${at(device)}/quarantine`, body);
      cli.output.data(shown, () => `${shown.name} is in quarantine: it gets nothing new.`);
    },
  );

  cli.leaf(
    group,
    {
      name: "release <device>",
      summary: "end the quarantine of a device",
      examples: [["muster device release cam-1", "it gets what it is due again"]],
    },
    (command) => command,
    async ([device = ""]) => {
      const shown = await (await cli.client()).send<DeviceResource>("POST", `${at(device)}/release`);
      cli.output.data(shown, () => `${shown.name} is out of quarantine.`);
    },
  );

  cli.leaf(
    group,
    {
      name: "decommission <device>",
      summary: "let a device wipe itself and take it out of the fleet",
      examples: [['muster device decommission cam-1 --reason "shop closed"', "keys, models and results go"]],
    },
    (command) => command.requiredOption("--reason <text>", "why, for those who ask later"),
    async ([device = ""], options) => {
      const body = { reason: String(options.reason) };
      const shown = await (await cli.client()).send<DeviceResource>(
        "POST",
        `${at(device)}/decommission`,
        body,
      );
      cli.output.data(
        shown,
        () =>
          `${shown.name} is told to wipe itself${shown.connected ? "" : " as soon as it comes back"}; until it says that it did, it is in quarantine.`,
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "replace <device>",
      summary: "create a join token for the board that takes the place of a device",
      examples: [["muster device replace cam-1 --keys ./keys", "name, site and labels go over to it"]],
    },
    (command) =>
      command
        .addOption(
          new Option("--expires <span>", "until when: 90s, 30m, 12h or 7d")
            .argParser(timeSpan)
            .default(DAY, "1d"),
        )
        .addOption(minAssuranceOption())
        .option(...KEYS_OPTION),
    async ([device = ""], options) => {
      const client = await cli.client();
      const pin = await localRootPin(cli, options.keys);
      const created = await client.send<CreatedToken>("POST", `${at(device)}/replacement`, {
        expiresIn: Math.round(Number(options.expires) / 1000),
        ...(options.minAssurance ? { minAssurance: options.minAssurance } : {}),
      });
      const ends = `ends ${ago(created.expiresAt, cli.terminal.now())}`;
      const whom = `For the board in place of ${device}, ${created.minAssurance} at least, ${ends}.`;
      await tellJoinToken(cli, client, created, pin, whom);
    },
  );
}
