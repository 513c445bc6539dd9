import { once } from "node:events";
import { buildDemoModels } from "../models/build.ts";
import { Cast } from "./cast.ts";
import { Narrator } from "./narrator.ts";
import { Story } from "./story.ts";
import { summaryLines } from "./summary.ts";

/**
 * `npm run demo [-- --once]`: exit code 0 when every act showed what it says, 1 with the reason otherwise, 130 when
 * it was interrupted before the end.
 */
const onceOnly = process.argv.includes("--once");
const narrator = new Narrator(Date.now, process.stdout);

narrator.say("Training and quantizing the demo models: no download; some 20 s the first time.");
const models = await buildDemoModels();
const cast = new Cast();
const interrupted = Promise.race(
  ["SIGINT", "SIGTERM", "SIGHUP"].map((signal) => once(process, signal).then(() => "interrupted" as const)),
);
let exitCode = 0;
try {
  const summary = await Promise.race([new Story(cast, models, narrator).tell(), interrupted]);
  if (summary === "interrupted") exitCode = 130;
  else {
    narrator.print("", ...summaryLines(summary));
    if (onceOnly) narrator.print("", JSON.stringify(summary));
    else {
      const { operatorUrl } = cast.controlPlane.addresses;
      const { operatorToken } = cast.controlPlane;
      cast.startFeeders();
      narrator.print(
        "",
        `The fleet goes on working: ${operatorUrl}/#token=${operatorToken}`,
        `For the command line: export MUSTER_URL=${operatorUrl} MUSTER_TOKEN=${operatorToken}`,
        "Ctrl-C ends everything.",
      );
      await interrupted;
    }
  }
} catch (error) {
  exitCode = 1;
  narrator.keep();
  console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}.`);
  console.error(`Data and logs are kept in ${cast.directory}`);
} finally {
  if (!onceOnly && exitCode !== 1) narrator.print("", "Stopping everything.");
  await cast.leave(exitCode === 1);
}
process.exit(exitCode);
