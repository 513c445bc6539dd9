import { asMusterError } from "@muster/shared/errors";
import type { FromFeeder, RunnerAddress, ToFeeder } from "./control.ts";
import { EventLimit } from "./event-limit.ts";
import { Station } from "./station.ts";

/** Longest time to end what is under way, milliseconds. */
const END_MS = 3000;

const tell = (message: FromFeeder): void => {
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
};

const limit = new EventLimit();
let runner: RunnerAddress = { socket: null, url: null };
let station: Station | undefined;

async function end(): Promise<never> {
  setTimeout(() => process.exit(0), END_MS).unref();
  await station?.close();
  process.exit(0);
}

async function obey(message: ToFeeder): Promise<void> {
  if (message.kind === "ping") {
    runner = message.runner;
    const counts = station?.counts() ?? { sources: [], sinks: [] };
    tell({ kind: "pong", count: message.count, counts, rssBytes: process.memoryUsage.rss() });
  } else if (message.kind === "start") {
    station = await Station.open(
      message.order,
      () => runner,
      (code, text) => {
        const message = text.slice(0, 900);
        if (limit.passes(code, message, performance.now())) tell({ kind: "event", code, message });
      },
    );
  } else {
    await end();
  }
}

process.title = "muster-feeder";
// The agent decides when the feeder goes; without the agent it has nothing to do.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
process.on("disconnect", () => void end());
process.on("message", (message: ToFeeder) => {
  obey(message).catch((error: unknown) => {
    const { code, message: text } = asMusterError(error);
    tell({ kind: "event", code, message: `The sources and sinks could not be started: ${text}` });
    setTimeout(() => process.exit(1), 100);
  });
});
