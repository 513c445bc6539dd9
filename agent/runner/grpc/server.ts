import { fileURLToPath } from "node:url";
import {
  type GrpcObject,
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServiceClientConstructor,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import type { Service } from "../routes/route.ts";
import { handlersOf } from "./handlers.ts";

/** The package's own file, wherever this code was built to. */
const PROTO = fileURLToPath(
  new URL("runner/grpc/inference.proto", import.meta.resolve("@muster/agent/package.json")),
);

/** Room in a message beside the tensors, bytes. */
const MESSAGE_MARGIN = 64 * 1024;
/** Calls of one connection at a time. */
const STREAMS = 256;
/** A silent connection is asked whether it lives, milliseconds. */
const KEEP_ALIVE_MS = 60_000;

/** The gRPC door of a runner. In a cluster worker the listening handle is shared, as that of HTTP is. */
export class GrpcServer {
  readonly #server: Server;

  constructor(service: Service) {
    this.#server = new Server({
      "grpc.max_receive_message_length": service.bodies.limit + MESSAGE_MARGIN,
      "grpc.max_send_message_length": -1,
      "grpc.max_concurrent_streams": STREAMS,
      "grpc.keepalive_time_ms": KEEP_ALIVE_MS,
    });
    this.#server.addService(serviceOf().service, handlersOf(service));
  }

  /**
   * @returns the port that it got
   * @throws Error of the system when the address cannot be had
   */
  listen(host: string, port: number): Promise<number> {
    const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
        if (error) reject(error);
        else resolve(bound);
      });
    });
  }

  /** Takes no new calls, tells clients to connect anew, and resolves when all that has begun is answered. */
  drain(): Promise<void> {
    return new Promise((resolve) => this.#server.tryShutdown(() => resolve()));
  }
}

function serviceOf(): ServiceClientConstructor {
  const options = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true };
  const { inference } = loadPackageDefinition(loadSync(PROTO, options));
  return (inference as GrpcObject).GRPCInferenceService as ServiceClientConstructor;
}
