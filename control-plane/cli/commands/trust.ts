import { MusterError } from "@muster/shared/errors";
import { parseTargets, targetEntries } from "@muster/shared/trust/tuf";
import type { Command } from "commander";
import type { TrustResource } from "../../api/schemas/trust.ts";
import { saveRoot } from "../../trust/offline-keys.ts";
import { buildRoot, signTargets } from "../../trust/offline-signing.ts";
import type { Cli } from "../cli.ts";
import { KEYS_OPTION, openKeys, rootPin } from "../keys.ts";
import { ago } from "../words.ts";
import { ekRootCommands } from "./ek-root.ts";

/** `muster trust ...`: what devices hold releases against. */
export function trustCommands(program: Command, cli: Cli): void {
  const group = cli.group(program, "trust", "the trust root that devices hold releases against");
  ekRootCommands(group, cli);

  cli.leaf(
    group,
    {
      name: "init",
      summary: "sign and upload the first trust root",
      examples: [["muster trust init --keys ./keys", "once for each control plane, before the first device"]],
    },
    (command) => command.option(...KEYS_OPTION),
    async (_args, options) => {
      const { dir, keys } = await openKeys(cli, options.keys);
      const client = await cli.client();
      const before = await client.get<TrustResource>("/trust");
      if (before.root !== null)
        throw new MusterError(
          "request.conflict",
          `The control plane has a trust root already (version ${before.versions.root}).`,
        );
      const now = cli.terminal.now();
      const root = buildRoot(keys, before.online, 1, now);
      const after = await client.send<TrustResource>("POST", "/trust/roots", {
        root,
        targets: signTargets(keys, 1, [], now),
      });
      await saveRoot(dir, root);
      cli.output.data({ versions: after.versions, rootPin: rootPin(root) }, () =>
        [
          `The trust root is in force; its pin is ${rootPin(root)}.`,
          `A copy is in ${dir}/root.json: join tokens made with --keys carry its pin.`,
        ].join("\n"),
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "show",
      summary: "versions, expiry and keys of the trust metadata",
      examples: [["muster trust show", "when what has to be signed again"]],
    },
    (command) => command,
    async () => {
      const trust = await (await cli.client()).get<TrustResource>("/trust");
      const releases = trust.targets === null ? [] : targetEntries(parseTargets(trust.targets));
      const pin = trust.root === null ? null : rootPin(trust.root);
      const now = cli.terminal.now();
      cli.output.data({ ...trust, rootPin: pin }, () =>
        pin === null
          ? "No trust root yet: run `muster keys init` and `muster trust init`."
          : [
              `root pin  ${pin}`,
              ...(["root", "targets", "snapshot", "timestamp"] as const).map(
                (role) =>
                  `${role.padEnd(10)}version ${trust.versions[role]}, ends ${ago(trust.expires[role], now)}`,
              ),
              `${releases.length} signed releases`,
              `directive key ${trust.online.directive.keyId}`,
            ].join("\n"),
      );
    },
  );
}
