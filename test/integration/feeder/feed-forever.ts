import { join } from "node:path";
import { Feeder } from "@muster/agent/feeder/feeder";

// A stand-in for the agent that feeds until it is killed: prints the process that it feeds with.
const [directory = ""] = process.argv.slice(2);
const log = () => {};
const feeder = new Feeder({
  order: {
    device: "d123",
    stateDir: join(directory, "state"),
    sources: [{ kind: "file", name: "in", model: "m", path: directory }],
    sinks: [],
  },
  runner: () => ({ socket: null, url: null }),
  event: log,
  log: { info: log, warn: log, error: log },
});
feeder.start();
console.log(feeder.status().pid);
