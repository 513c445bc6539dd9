import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Forwarder } from "@muster/agent/runner/forward/forwarder";
import { Siblings } from "@muster/agent/runner/forward/siblings";
import type { Standing } from "@muster/agent/runner/forward/standing";
import { askSibling } from "@muster/agent/runner/grpc/sibling";
import { DEFAULT_REQUEST_LIMITS } from "@muster/agent/runner/request-limits";
import type { Service } from "@muster/agent/runner/routes/route";
import { statsRoutes } from "@muster/agent/runner/routes/stats";
import { EndpointServer } from "@muster/agent/runner/server";
import { isMusterError } from "@muster/shared/errors";

// A sibling that is a plain server: what it is asked shows what went over the line.

let folder: string;
let to: Standing;
const servers: Server[] = [];

async function listening(handle: RequestListener, at: string | number): Promise<Server> {
  const server = createServer(handle);
  servers.push(server);
  if (typeof at === "string") server.listen(at);
  else server.listen(at, "127.0.0.1");
  await once(server, "listening");
  return server;
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "muster-forward-"));
});

after(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  await rm(folder, { recursive: true, force: true });
});

const sibling = (name: string): Standing => ({
  name: "m",
  version: "1",
  runner: "b#1",
  state: "ready",
  reason: "",
  socket: join(folder, name),
});

test("what stands in the body of a GET is no further request to the sibling", async () => {
  to = sibling("own.sock");
  const asked: string[] = [];
  await listening((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    request.resume();
    response.end("{}");
  }, to.socket!);
  const forwarder = new Forwarder(1000);
  const front = await listening((request, response) => {
    forwarder.forward(to, request, response).catch(() => response.destroy());
  }, 0);
  const { port } = front.address() as AddressInfo;
  const exchange = async (body: string): Promise<string> => {
    const client = connect(port, "127.0.0.1");
    client.write(
      `GET /v2/models/m HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n${body}0\r\n\r\n`,
    );
    let answer = "";
    for await (const chunk of client) answer += String(chunk);
    return answer;
  };
  const hidden = "POST /v2/models/m/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
  assert.match(await exchange(`${hidden.length.toString(16)}\r\n${hidden}\r\n`), /^HTTP\/1\.1 200 /);
  assert.match(await exchange(""), /^HTTP\/1\.1 200 /);
  forwarder.close();
  assert.deepEqual(asked, ["GET /v2/models/m", "GET /v2/models/m"]);
});

test("when to try again comes through from a sibling to a client of gRPC", async () => {
  to = sibling("busy.sock");
  await listening((request, response) => {
    request.resume();
    response.writeHead(503, { "retry-after": "7" });
    response.end(JSON.stringify({ error: "full", code: "inference.overloaded" }));
  }, to.socket!);
  const message = {
    model_name: "m",
    model_version: "",
    id: "",
    parameters: {},
    inputs: [],
    outputs: [],
    raw_input_contents: [],
  };
  const gone = new AbortController().signal;
  await assert.rejects(
    askSibling(to, message, DEFAULT_REQUEST_LIMITS, Number.POSITIVE_INFINITY, gone),
    (error) => isMusterError(error, "inference.overloaded") && error.retryAfterSeconds === 7,
  );
});

/** What a runner without models of its own knows of one sibling. */
function serviceBeside(standing: Standing): Service {
  const siblings = new Siblings("a#1");
  siblings.update([standing]);
  return { siblings, models: { all: [], find: () => undefined } } as unknown as Service;
}

test("statistics do not wait for a sibling that computes", async () => {
  to = sibling("silent.sock");
  await listening((request) => request.resume(), to.socket!);
  const [all] = statsRoutes;
  const answer = await all!.handle(serviceBeside(to), { headers: {} } as never, {});
  assert.deepEqual(JSON.parse(String(answer.body[0])), { model_stats: [] });
});

test("a runner that leaves lets siblings in a little longer: not all have read yet where its models are", async () => {
  const ownPath = join(folder, "leaving.sock");
  const endpoint = new EndpointServer(serviceBeside(sibling("other.sock")), 10);
  const nowhere = { host: "127.0.0.1", port: null, socketPath: null, grpcPort: null, groupPath: null };
  await endpoint.listen({ ...nowhere, ownPath });
  const drained = endpoint.drain("keep");
  const client = connect(ownPath);
  client.write("GET /v2/health/live HTTP/1.1\r\nhost: x\r\n\r\n");
  let answer = "";
  for await (const chunk of client) answer += String(chunk);
  assert.match(answer, /^HTTP\/1\.1 200 [\s\S]*connection: close/i);
  await drained;
  await assert.rejects(once(connect(ownPath), "connect"), { code: "ENOENT" });
});
