import { Agent, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { MusterError } from "@muster/shared/errors";
import { HOPS } from "./forward/forwarder.ts";
import type { Standing } from "./forward/standing.ts";
import type { Gone } from "./infer.ts";

/** Well before the sibling would close an idle connection, milliseconds. */
const agent = new Agent({ keepAlive: true, maxFreeSockets: 16, timeout: 3_000 });

interface Asked {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: Buffer;
  /** Bytes of the JSON part of the body. */
  readonly jsonLength?: number;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** The address of this very model and version. */
export const pathOf = ({ name, version }: Standing): string =>
  `/v2/models/${encodeURIComponent(name)}/versions/${encodeURIComponent(version)}`;

/**
 * A question of this runner's own to the sibling that has a model.
 * @param gone ends it
 * @throws MusterError `model.not-ready` when the sibling is not ready or ends before it answers
 */
export function exchange(
  { name, version, socket, state, reason }: Standing,
  { method, path, body, jsonLength }: Asked,
  gone?: Gone,
): Promise<Reply> {
  if (state !== "ready" || socket === null)
    return Promise.reject(
      new MusterError("model.not-ready", `Model ${name} ${version} is not ready: ${reason}`),
    );
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      socketPath: socket,
      agent,
      method,
      path,
      headers: {
        [HOPS]: "1",
        ...(body && { "content-length": body.byteLength }),
        ...(jsonLength !== undefined && { "inference-header-content-length": jsonLength }),
      },
    });
    const cancel = () => outgoing.destroy();
    const settle = () => gone?.removeEventListener("abort", cancel);
    const fail = (cause: Error) => {
      settle();
      reject(
        new MusterError(
          "model.not-ready",
          `The runner of model ${name} ${version} ended before it answered.`,
          {
            cause,
          },
        ),
      );
    };
    gone?.addEventListener("abort", cancel);
    outgoing.on("error", fail);
    outgoing.once("response", (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("error", fail);
      incoming.once("end", () => {
        settle();
        resolve({
          status: incoming.statusCode ?? 502,
          headers: incoming.headers,
          body: Buffer.concat(chunks),
        });
      });
    });
    outgoing.end(body);
  });
}
