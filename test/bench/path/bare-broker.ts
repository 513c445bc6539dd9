import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createServer } from "node:tls";
import { Aedes } from "aedes";

/** The yardstick: aedes alone, on the same TLS as the control plane. Argument: the directory of its keys. */
const [directory = ""] = process.argv.slice(2);
const pem = (name: string) => readFileSync(join(directory, name));

const broker = await Aedes.createBroker();
const server = createServer(
  { key: pem("server.key"), cert: pem("server.crt"), ca: pem("ca.crt"), requestCert: true },
  (socket) => broker.handle(socket),
);
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  console.log(JSON.stringify({ port: typeof address === "object" ? address?.port : 0 }));
});
process.once("SIGTERM", () => process.exit(0));
