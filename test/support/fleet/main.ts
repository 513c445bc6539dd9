import { startFleet } from "./fleet.ts";

/** A test fleet as a process of its own, which a test may kill: `main.js DATA_DIR` prints its addresses as JSON. */
const [, , dataDir] = process.argv;
if (dataDir === undefined) throw new Error("main.js DATA_DIR");
const fleet = await startFleet({ dataDir });
const device = await fleet.enroll("press");
console.log(
  JSON.stringify({
    mqttPort: fleet.mqttPort,
    ca: fleet.authority.certificate,
    device: { id: device.id, key: device.key, certificate: device.certificate },
  }),
);
