import { MusterError } from "@muster/shared/errors";
import { formatJoinToken } from "@muster/shared/trust/join-token";
import type { StatusResource } from "../api/schemas/status.ts";
import type { CreatedToken } from "../api/schemas/tokens.ts";
import { readRoot } from "../trust/offline-keys.ts";
import type { Cli } from "./cli.ts";
import type { OperatorClient } from "./client.ts";
import { keysDirectory } from "./context.ts";
import { rootPin } from "./keys.ts";

/**
 * Tells a join token, the one time that this is possible, and what to run on the box.
 * @param pin of the trust root, null for none
 * @param whom says for whom it is, one sentence
 */
export async function tellJoinToken(
  cli: Cli,
  client: OperatorClient,
  created: CreatedToken,
  pin: string | null,
  whom: string,
): Promise<void> {
  const { deviceUrl } = await client.get<StatusResource>("/status");
  const token = formatJoinToken({ ...created, rootPin: pin });
  const run = `muster-agent run --server ${deviceUrl} --token ${token}`;
  cli.output.data({ ...created, secret: undefined, rootPin: pin, token, run }, () => token);
  cli.output.say(
    [
      `${whom} It is not shown again. On the box:`,
      `  ${run}`,
      ...(pin === null
        ? ["It pins no trust root, so the device trusts the first one it sees: better pass --keys DIR."]
        : []),
    ].join("\n"),
  );
}

/** Pin of the operator's own copy of the root: what the server says about itself would prove nothing. */
export async function localRootPin(cli: Cli, option: unknown): Promise<string | null> {
  const dir = await keysDirectory(cli.terminal.env, typeof option === "string" ? option : undefined);
  const root = dir === undefined ? null : await readRoot(dir);
  if (root === null && option !== undefined)
    throw new MusterError("trust.key-missing", `There is no root.json in ${dir}: run \`muster trust init\`.`);
  return root === null ? null : rootPin(root);
}
