import { runCli } from "./cli/program.ts";

/** Entry of `muster`. The exit code is set, not forced: what is still being written gets out. */
process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  now: Date.now,
});
