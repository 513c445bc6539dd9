import { MusterError } from "@muster/shared/errors";
import type { Command } from "commander";
import type { CliSession } from "../../api/schemas/sign-in.ts";
import type { StatusResource } from "../../api/schemas/status.ts";
import { isInTheClear } from "../../settings/addresses.ts";
import type { Cli } from "../cli.ts";
import { OperatorClient } from "../client.ts";
import { currentContext, signInto } from "../context.ts";
import { signInByBrowser } from "../oidc-login.ts";
import { ago } from "../words.ts";

/** `muster login` and `muster logout`: chooses the control plane for the commands that follow. */
export function loginCommand(program: Command, cli: Cli): void {
  cli.leaf(
    program,
    {
      name: "login <url>",
      summary: "choose a control plane and sign in",
      examples: [
        ["muster login http://127.0.0.1:8080 --token TOKEN", "as `muster serve` printed it"],
        ["muster login https://fleet.example.org --oidc", "in a browser, at the identity provider"],
      ],
    },
    (command) =>
      command
        .option("--token <token>", "operator token")
        .option("--oidc", "sign in in a browser on this machine"),
    async ([url = ""], options) => {
      if ((options.token === undefined) === (options.oidc === undefined))
        throw new MusterError("settings.invalid", "Sign in with one of --token TOKEN and --oidc.");
      const session = options.oidc ? await byBrowser(cli, url) : undefined;
      const token = session?.token ?? String(options.token);
      const client = new OperatorClient(url, token);
      const status = await client.get<StatusResource>("/status");
      const file = await signInto(cli.terminal.env, { url: client.url.href, token });
      const until = session ? `, until ${ago(session.expiresAt, cli.terminal.now())}` : "";
      cli.output.data(
        { url: client.url.href, operator: status.operator, version: status.version, file },
        () => `Signed in to ${client.url.origin} as ${status.operator.name}${until}; kept in ${file}.`,
      );
      if (isInTheClear(client.url))
        cli.output.say(
          "The token crosses the network unencrypted: start the control plane with --operator-cert and --operator-key.",
        );
    },
  );

  cli.leaf(
    program,
    {
      name: "logout",
      summary: "end the session of `muster login --oidc`",
      examples: [["muster logout", "a token is revoked with `muster operator token revoke` instead"]],
    },
    (command) => command,
    async () => {
      const { url } = await currentContext(cli.terminal.env);
      await (await cli.client()).send("POST", "/sign-out");
      cli.output.data({ url }, () => `The session at ${new URL(url).origin} has ended.`);
    },
  );
}

async function byBrowser(cli: Cli, url: string): Promise<CliSession> {
  const client = new OperatorClient(url, "none");
  const begin = new URL("api/v1/sign-in", client.url.href.replace(/\/*$/, "/"));
  const answer = await signInByBrowser(begin, (address) =>
    cli.output.say(`Open this address in a browser on this machine:\n\n  ${address.href}\n`),
  );
  return await client.send<CliSession>("POST", "/sign-in/cli", answer);
}
