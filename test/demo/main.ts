import { once } from "node:events";
import { buildDemoModels } from "../models/build.ts";
import { Cast } from "./cast.ts";
import { Narrator } from "./narrator.ts";
import { Story } from "./story.ts";

/** `npm run demo [-- --once]`: exit code 0 when every act showed what it says, 1 with the reason otherwise. */
const onceOnly = process.argv.includes("--once");
const narrator = new Narrator(Date.now, (line) => console.log(line));

narrator.say("Training and quantizing the demo models (once; some 20 s).");
const models = await buildDemoModels();
const cast = new Cast();
let failed = false;
try {
  const interrupted = once(process, "SIGINT").then(() => {
    throw new Error("it was interrupted");
  });
  const summary = await Promise.race([new Story(cast, models, narrator).tell(), interrupted]);
  console.log(`\n${JSON.stringify(summary, null, onceOnly ? 0 : 2)}`);
  if (!onceOnly) {
    const { operatorUrl } = cast.controlPlane.addresses;
    console.log(`\nThe fleet is open at ${operatorUrl}/#token=${cast.controlPlane.operatorToken}`);
    console.log("Ctrl-C ends everything.");
    await interrupted.catch(() => undefined);
  }
} catch (error) {
  failed = true;
  console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}.`);
  console.error(`Data and logs are kept in ${cast.directory}`);
} finally {
  await cast.leave(failed);
}
process.exit(failed ? 1 : 0);
