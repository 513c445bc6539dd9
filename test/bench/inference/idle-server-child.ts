import { createServer } from "node:http";

/**
 * An HTTP server that reads each request to its end and answers with as many bytes as a runner would, without work.
 * Arguments: socket path, bytes of an answer. Says `up` when it listens.
 */
const [path = "", bytes = "0"] = process.argv.slice(2);
const answer = Buffer.alloc(Number(bytes), 32);
const server = createServer((request, response) => {
  request.on("data", () => {});
  request.on("end", () => {
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": answer.length });
    response.end(answer);
  });
});
server.listen(path, () => process.send?.("up"));
process.on("disconnect", () => process.exit(0));
