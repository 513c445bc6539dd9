import { readFile } from "node:fs/promises";
import { isMusterError, MusterError } from "@muster/shared/errors";
import type { Command, OptionValues } from "commander";
import type { ReceiverList, ReceiverTest, WrittenReceiver } from "../../api/schemas/alerts.ts";
import type { Cli } from "../cli.ts";
import { collect, spanOption } from "../options.ts";

/** `muster alert receiver ...` */
export function alertReceiverCommands(group: Command, cli: Cli): void {
  cli.leaf(
    group,
    {
      name: "add <name>",
      summary: "tell somebody of alerts, by webhook or e-mail",
      examples: [
        [
          "muster alert receiver add ops --webhook https://ops.example/hook",
          "prints the key of the signature",
        ],
        ["muster alert receiver add duty --smtp mx.local --from m@x.local --to a@x.local", "by e-mail"],
        [
          "muster alert receiver add de --webhook http://10.0.0.7 -l site=eu/de --by site",
          "only some alerts",
        ],
      ],
    },
    (command) =>
      command
        .option("--webhook <url>", "http or https address that is posted to")
        .option("--smtp <host[:port]>", "mail server")
        .option("--tls <how>", "starttls, implicit or none", "starttls")
        .option("--from <address>", "sender of the mails")
        .option("--to <address>", "recipient of the mails; may be repeated", collect)
        .option("--user <name>", "account at the mail server")
        .option("--secret-file <file>", "file with the password, or the key of the signature")
        .option("--ca <file>", "PEM of the CA that its certificate must come from")
        .option("-l, --selector <selector>", "alerts that it is told of")
        .option("--severity <least>", "only this severity and above", "info")
        .option("--by <group>", "one notification for each rule, site or alert", "rule")
        .addOption(spanOption("--wait <span>", "time in which first alerts come together", "30s"))
        .addOption(spanOption("--interval <span>", "least time between two notifications of a group", "5m"))
        .addOption(spanOption("--repeat <span>", "time after which the same is told again", "4h"))
        .option("--no-resolved", "do not tell when an alert is over")
        .option("--off", "do not tell it anything yet")
        .option("--replace", "take the place of a receiver of this name"),
    async ([name = ""], options) => {
      const client = await cli.client();
      const { receivers } = await client.get<ReceiverList>("/alert-receivers");
      if (!options.replace && receivers.some((receiver) => receiver.name === name))
        throw new MusterError("request.conflict", `There is a receiver ${name}: add --replace.`);
      const path = `/alert-receivers/${encodeURIComponent(name)}`;
      const receiver = await client.send<WrittenReceiver>("PUT", path, await receiverFrom(options));
      cli.output.data(receiver, () => receiver.madeSecret ?? "");
      if (receiver.madeSecret !== null)
        cli.output.say("This is the key of the signature; it is not shown again.");
      cli.output.say(`Try it: muster alert receiver test ${name}`);
    },
  );

  cli.leaf(
    group,
    {
      name: "test <name>",
      summary: "send a test notification now and say whether it was taken",
      examples: [["muster alert receiver test ops", "also tries at once what waits"]],
    },
    (command) => command,
    async ([name = ""]) => {
      const client = await cli.client();
      const path = `/alert-receivers/${encodeURIComponent(name)}/test`;
      // A mail server may take longer than other answers of the API.
      const test = await client.send<ReceiverTest>("POST", path).catch((error: unknown) => {
        throw isMusterError(error, "alert.refused") || isMusterError(error, "alert.undelivered")
          ? new MusterError(error.code, `${name} did not take the test notification. ${error.message}`)
          : error;
      });
      cli.output.data(test, () => `${name} took the test notification after ${test.tookMs} ms.`);
    },
  );

  cli.leaf(
    group,
    {
      name: "remove <name>",
      summary: "tell it nothing any more; what waits for it is dropped",
      examples: [["muster alert receiver remove ops", "no more posts there"]],
    },
    (command) => command,
    async ([name = ""]) => {
      await (await cli.client()).send("DELETE", `/alert-receivers/${encodeURIComponent(name)}`);
      cli.output.data({ removed: name }, () => `${name} is removed.`);
    },
  );
}

async function receiverFrom(options: OptionValues): Promise<Record<string, unknown>> {
  const secret = options.secretFile === undefined ? undefined : await textOf(options.secretFile);
  const ca = options.ca === undefined ? undefined : await textOf(options.ca);
  const seconds = (millis: unknown) => Math.round(Number(millis) / 1000);
  return {
    ...(options.webhook === undefined
      ? {}
      : { webhook: { url: options.webhook, ...(secret ? { secret } : {}), ...(ca ? { ca } : {}) } }),
    ...(options.smtp === undefined ? {} : { email: emailFrom(options, secret, ca) }),
    enabled: options.off !== true,
    selector: options.selector ?? "",
    minSeverity: options.severity,
    groupBy: options.by,
    groupWaitSeconds: seconds(options.wait),
    groupIntervalSeconds: seconds(options.interval),
    repeatSeconds: seconds(options.repeat),
    sendResolved: options.resolved !== false,
  };
}

function emailFrom(options: OptionValues, password: string | undefined, ca: string | undefined) {
  const [, host, port] = /^(.+?)(?::(\d{1,5}))?$/.exec(String(options.smtp)) ?? [];
  if (options.from === undefined || options.to === undefined)
    throw new MusterError("settings.invalid", "E-mail needs --from and --to.");
  return {
    host,
    ...(port === undefined ? {} : { port: Number(port) }),
    tls: options.tls,
    from: options.from,
    to: options.to,
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(password ? { password } : {}),
    ...(ca ? { ca } : {}),
  };
}

/** @throws MusterError `settings.invalid` */
async function textOf(file: string): Promise<string> {
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (cause) {
    throw new MusterError("settings.invalid", `${file} cannot be read.`, { cause });
  }
}
