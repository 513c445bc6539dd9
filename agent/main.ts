import { keepHeapSmall } from "./small-heap.ts";

/** Entry of `muster-agent`. It ends the process itself: what hangs must not keep an agent that was told to end. */
keepHeapSmall();
const { runCli } = await import("./cli/program.ts");
process.exit(
  await runCli(process.argv.slice(2), {
    env: process.env,
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
  }),
);
