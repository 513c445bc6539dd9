import { once } from "node:events";
import { resolve } from "node:path";
import { type Command, Option, type OptionValues } from "commander";
import type { RunningControlPlane } from "../../serve.ts";
import type { ControlPlaneSettings } from "../../settings/settings.ts";
import type { Cli } from "../cli.ts";
import { collect, collectSetting, wholeNumber } from "../options.ts";

const LEVELS = ["trace", "debug", "info", "warn", "error", "silent"];
const DEFAULT_DATA = "/var/lib/muster";

/** `muster serve`: the control plane itself. Its modules are loaded here only, so that other commands start fast. */
export function serveCommand(program: Command, cli: Cli): void {
  cli.leaf(
    program,
    {
      name: "serve",
      summary: "run a control plane; the first start prints the operator token",
      examples: [
        ["muster serve --data ./data", "everything it needs is made there"],
        ["muster serve --public-host fleet.example.org", "the name that devices use"],
        ["muster serve --set heartbeatIntervalMs=5000 --set resultDays=30", "any other setting"],
      ],
    },
    (command) =>
      command
        .option("--data <dir>", "where everything is kept", DEFAULT_DATA)
        .option("--device-host <address>", "address of the HTTPS and MQTT listeners (default: 0.0.0.0)")
        .option("--device-port <port>", "HTTPS for devices (default: 8443)", wholeNumber)
        .option("--mqtt-port <port>", "MQTT for devices (default: 8883)", wholeNumber)
        .option("--public-host <name>", "name that devices use; may be repeated", collect)
        .option("--operator-host <address>", "address of API and page (default: 127.0.0.1)")
        .option("--operator-port <port>", "port of API and page (default: 8080)", wholeNumber)
        .option("--operator-cert <file>", "PEM certificate: API and page speak HTTPS")
        .option("--operator-key <file>", "PEM key of that certificate")
        .option("--set <name=value>", "any other setting; may be repeated", collectSetting)
        .addOption(
          new Option("--log-level <level>", "least level on stderr").choices(LEVELS).default("info"),
        ),
    async (_args, options) => {
      const { destination, pino } = await import("pino");
      const { serve } = await import("../../serve.ts");
      const log = pino({ level: String(options.logLevel) }, destination({ fd: 2, sync: true }));
      const dataDir = resolve(String(options.data));
      const running = await serve({ dataDir, settings: settingsOf(options), log });
      cli.output.ready({ dataDir, ...addressesOf(running) }, () => welcome(dataDir, running));
      const [signal] = await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
      cli.output.say(`Stopping on ${signal}; a second one ends it at once.`);
      await running.close();
    },
  );
}

function settingsOf(options: OptionValues): Partial<ControlPlaneSettings> {
  const { deviceHost, devicePort, mqttPort, publicHost, operatorHost, operatorPort } = options;
  const named = {
    deviceHost,
    devicePort,
    mqttPort,
    publicHosts: publicHost,
    operatorHost,
    operatorPort,
    operatorCertFile: options.operatorCert,
    operatorKeyFile: options.operatorKey,
  };
  const given = Object.entries({ ...options.set, ...named }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given);
}

const addressesOf = ({ deviceUrl, mqttUrl, operatorUrl, operatorToken }: RunningControlPlane) => ({
  deviceUrl,
  mqttUrl,
  operatorUrl,
  ...(operatorToken === undefined ? {} : { operatorToken }),
});

function welcome(
  dataDir: string,
  { deviceUrl, mqttUrl, operatorUrl, operatorToken }: RunningControlPlane,
): string {
  const page = operatorToken === undefined ? operatorUrl : `${operatorUrl}/#token=${operatorToken}`;
  return [
    `Muster runs. Its data is in ${dataDir}.`,
    "",
    `  Fleet page  ${page}`,
    `  Devices     ${deviceUrl} and ${mqttUrl}`,
    ...(operatorToken === undefined
      ? []
      : [
          "",
          "The operator token is shown only now. Sign in with:",
          `  muster login ${operatorUrl} --token ${operatorToken}`,
        ]),
    "",
  ].join("\n");
}
