import { request } from "node:http";
import { connect } from "node:net";
import { MusterError } from "@muster/shared/errors";

const TIMEOUT_MS = 5000;

/** True when somebody listens at the socket. */
export const isAnswered = (socket: string): Promise<boolean> =>
  new Promise((resolve) => {
    const connection = connect(socket);
    connection.once("connect", () => {
      connection.destroy();
      resolve(true);
    });
    connection.once("error", () => resolve(false));
  });

/** The status of the agent at `socket`. @throws MusterError `request.unreachable` when none runs there */
export const askStatus = (socket: string): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const fail = (cause: unknown) =>
      reject(new MusterError("request.unreachable", `No agent answers at ${socket}.`, { cause }));
    const call = request({ socketPath: socket, path: "/status", timeout: TIMEOUT_MS }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", fail);
      response.on("end", () => {
        try {
          if (response.statusCode !== 200)
            throw new MusterError("request.unreachable", "The agent is ending.");
          resolve(JSON.parse(Buffer.concat(chunks).toString("utf8")));
        } catch (error) {
          fail(error);
        }
      });
    });
    call.on("timeout", () => call.destroy(new MusterError("request.timeout")));
    call.on("error", fail);
    call.end();
  });
