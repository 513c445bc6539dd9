import type { Command } from "commander";
import type { ApprovalPolicyList, ApprovalPolicyResource } from "../../api/schemas/approvals.ts";
import type { Cli } from "../cli.ts";
import { positiveNumber } from "../options.ts";
import { ago } from "../words.ts";

/** `muster approval ...`: how many others have to approve rollouts, by site. */
export function approvalCommands(program: Command, cli: Cli): void {
  const group = cli.group(program, "approval", "how many others have to approve rollouts");

  cli.leaf(
    group,
    {
      name: "set",
      summary: "ask for approvals of rollouts that have devices at a site or below it",
      examples: [["muster approval set --site eu/hospital --needed 1", "a second approver there"]],
    },
    (command) =>
      command
        .requiredOption("--site <path>", "this site and all below it, `*` for the fleet")
        .requiredOption("--needed <n>", "approvals of others, 1 to 5", positiveNumber),
    async (_args, options) => {
      const policy = await (await cli.client()).send<ApprovalPolicyResource>("PUT", "/approval-policies", {
        site: options.site,
        approvals: options.needed,
      });
      cli.output.data(
        policy,
        () => `Rollouts that are submitted from now on need ${policy.approvals} at ${policy.site}.`,
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "list",
      summary: "list what sites ask for",
      examples: [["muster approval list", "by site"]],
    },
    (command) => command,
    async () => {
      const { policies } = await (await cli.client()).get<ApprovalPolicyList>("/approval-policies");
      const now = cli.terminal.now();
      cli.output.list(
        policies,
        [
          { title: "SITE", value: (row) => row.site },
          { title: "NEEDED", value: (row) => String(row.approvals), right: true },
          { title: "CHANGED", value: (row) => `${ago(row.changedAt, now)} by ${row.changedBy}` },
        ],
        policies,
        "No site asks for approvals.",
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "remove",
      summary: "ask for no approvals of its own at a site any more",
      examples: [["muster approval remove --site eu/hospital", "what holds above holds there"]],
    },
    (command) => command.requiredOption("--site <path>", "the site, `*` for the fleet"),
    async (_args, options) => {
      const site = String(options.site);
      await (await cli.client()).send("DELETE", "/approval-policies", undefined, { site });
      cli.output.data({ site }, () => `${site} asks for no approvals of its own any more.`);
    },
  );
}
