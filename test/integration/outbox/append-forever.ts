import { writeSync } from "node:fs";
import { Outbox } from "@muster/agent/outbox/outbox";
import { openDatabase } from "@muster/agent/storage/database";

/** Appends records in threes and tells each seq that is durable, until it is killed. */
const outbox = new Outbox(openDatabase(process.argv[2] ?? ""), {
  limitBytes: 1e9,
  newId: () => "outbox-id-1",
});
const body = { code: "runner.crashed", message: "m".repeat(300) };
const at = Date.now();
for (;;) {
  const last = outbox.append([1, 2, 3].map(() => ({ kind: "event" as const, at, body })));
  writeSync(1, `${last}\n`);
}
